//! A database with its topic, and the instances that come and go over them.

use std::collections::BTreeMap;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tonic::transport::Channel;

use crate::audit::{Report, TopicRecord, audit};
use crate::client::{Http, create_many, lanes, wait_until};
use crate::halts::cluster::read;
use crate::instance::{Instance, Place};
use crate::services::{Database, DatabaseFile, fresh_topic, kafka};

/// Requests that leave no lane, and hardly any shard, without an event.
pub(crate) const MANY: usize = 40;

/// A database and a topic of one test.
pub(crate) struct Stage {
    pub(crate) place: Place,
    keeps: Keeps,
}

/// What is dropped with the stage.
enum Keeps {
    Postgres(Database),
    Sqlite(#[expect(dead_code, reason = "kept until the test ends")] DatabaseFile),
}

/// A running service with its callers.
pub(crate) struct Running {
    instance: Instance,
    pub(crate) client: RequestServiceClient<Channel>,
    pub(crate) private: Http,
}

impl Stage {
    pub(crate) async fn postgres() -> Self {
        let database = Database::create().await;
        let place = Place { database: database.url().to_owned(), topic: fresh_topic() };
        Self { place, keeps: Keeps::Postgres(database) }
    }

    pub(crate) fn sqlite() -> Self {
        let file = DatabaseFile::create();
        let place = Place { database: file.url(), topic: fresh_topic() };
        Self { place, keeps: Keeps::Sqlite(file) }
    }

    /// A copy of the database as it is now, with the same topic: what the restore of a backup of this moment would be.
    pub(crate) async fn backup(&self) -> Self {
        let Keeps::Postgres(database) = &self.keeps else { panic!("only Postgres is copied") };
        let copy = database.copy().await;
        let place = Place { database: copy.url().to_owned(), topic: self.place.topic.clone() };
        Self { place, keeps: Keeps::Postgres(copy) }
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, settings: &[(&str, &str)]) -> Running {
        let instance = Instance::start_with(&self.place, settings);
        Running { client: instance.client(), private: Http::private(&instance), instance }
    }

    /// Has events published by an instance that ends cleanly; gives the last position of each shard.
    pub(crate) async fn publish_some(&self) -> BTreeMap<u16, u64> {
        let mut instance = self.start();
        create_many(&mut instance.client, MANY).await;
        instance.wait_until_published(MANY).await;
        instance.end().await;
        assert_eq!(read(&self.place.topic).await.len(), MANY);
        self.heads().await
    }

    /// The last position of each shard.
    pub(crate) async fn heads(&self) -> BTreeMap<u16, u64> {
        let sql = "SELECT CAST(shard AS bigint), CAST(next AS bigint) FROM event_head";
        let heads: Vec<(i64, i64)> = match &self.keeps {
            Keeps::Postgres(_) => {
                let mut connection = PgConnection::connect(&self.place.database).await.unwrap();
                sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
            }
            Keeps::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.place.database).await.unwrap();
                sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
            }
        };
        let number = |(shard, next): (i64, i64)| (shard.try_into().unwrap(), (next - 1).try_into().unwrap());
        heads.into_iter().map(number).collect()
    }

    /// Changes the database by hand.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.keeps {
            Keeps::Postgres(_) => {
                let mut connection = PgConnection::connect(&self.place.database).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap();
            }
            Keeps::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.place.database).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// Takes the database back to when a shard ended at `last`, as the restore of an older backup would.
    pub(crate) async fn forget_events(&self, shard: u16, last: u64) {
        let mut connection = PgConnection::connect(&self.place.database).await.unwrap();
        for sql in [
            format!("DELETE FROM event_log WHERE shard = {shard} AND pos > {last}"),
            format!("UPDATE event_head SET next = {last} + 1 WHERE shard = {shard}"),
            format!("UPDATE relay_checkpoint SET pos = least(pos, {last}), exact = false WHERE shard = {shard}"),
        ] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
    }

    /// Has the database without an event that it had.
    pub(crate) async fn lose_event(&self, shard: u16, position: u64) {
        let mut connection = PgConnection::connect(&self.place.database).await.unwrap();
        let sql = format!("DELETE FROM event_log WHERE shard = {shard} AND pos = {position}");
        let lost = sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        assert_eq!(lost.rows_affected(), 1, "there is an event {shard}/{position}");
    }

    /// Has the database and the topic audited; everything must be published.
    pub(crate) async fn audit_published(&self) -> Report {
        let report = audit(&self.place.database, &kafka(), &self.place.topic, Vec::new()).await.unwrap();
        report.assert_clean_and_published();
        report
    }
}

impl Running {
    /// Waits until all lanes are in a state, and gives what they say about it.
    pub(crate) async fn wait_until_all_are(&self, state: &str) -> Vec<String> {
        let mut details = Vec::new();
        wait_until(&format!("all relay lanes are {state}"), async || {
            let lanes = lanes(&self.private).await;
            let is_so = lanes.iter().all(|(found, _)| found == state);
            details = lanes.into_iter().map(|(_, detail)| detail).collect();
            is_so
        })
        .await;
        details
    }

    /// Waits until the relay has published so many events in all.
    pub(crate) async fn wait_until_published(&self, events: usize) {
        wait_until(&format!("{events} events are published"), async || {
            self.private.get("/metrics").await.metric("cmgate_relay_position") >= events as f64
        })
        .await;
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.instance.signal(name);
    }

    /// Ends it in good order.
    pub(crate) async fn end(self) {
        self.begin_to_end();
        self.ended().await;
    }

    /// Waits until it has ended in good order.
    pub(crate) async fn ended(mut self) {
        let ended = tokio::task::spawn_blocking(move || (self.instance.wait(), self.instance.log()));
        let (status, log) = ended.await.unwrap();
        assert!(status.success(), "{status}\n{log}");
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.instance.log()
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.instance.kill();
    }

    /// Asks it to end without waiting for that.
    pub(crate) fn begin_to_end(&self) {
        self.instance.signal("TERM");
    }
}

/// An address at which nobody answers.
pub(crate) fn closed_port() -> String {
    // Port 1 is below those that systems give out, and nothing listens there.
    "127.0.0.1:1".to_owned()
}

/// The positions in each partition in the order of their offsets; records that tell none are left out.
pub(crate) fn positions(records: &[TopicRecord]) -> BTreeMap<u16, Vec<u64>> {
    let mut positions: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for record in records {
        let told = record.headers.iter().find(|(name, _)| name == "x-pos");
        if let Some((_, value)) = told {
            let position = std::str::from_utf8(value).unwrap().parse().unwrap();
            positions.entry(record.partition).or_default().push(position);
        }
    }
    positions
}

/// The words of a command that a text names between backticks, without the name of this program.
pub(crate) fn command_in(text: &str, command: &str) -> Vec<String> {
    let named = text.split('`').skip(1).step_by(2).find(|named| named.starts_with(command));
    let named = named.unwrap_or_else(|| panic!("{text} names no `{command}`"));
    named.split(' ').skip_while(|word| *word == "cmgate").map(str::to_owned).collect()
}
