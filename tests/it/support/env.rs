//! A database with a topic, and the processes that use them.

use std::collections::BTreeMap;
use std::process::Output;

use cmgate::store::Publishing;

use super::client::create_many;
use super::database::TestDatabase;
use super::instance::{Instance, program};
use super::kafka::read_committed;
use super::relay::publishing;
use super::servers::{Exclusive, fresh_topic, kafka};
use crate::audit::{Acknowledged, Report, audit};

/// Requests that leave no worker, and hardly any shard, without an event.
pub(crate) const MANY: usize = 40;

/// A database and a topic of one test.
#[derive(Clone)]
pub(crate) struct TestEnv {
    pub(crate) database: TestDatabase,
    pub(crate) topic: String,
    /// `kafka.publish`.
    pub(crate) publishing: Publishing,
}

impl TestEnv {
    /// A database with a topic that does not exist yet.
    pub(crate) fn new(database: TestDatabase) -> Self {
        Self { database, topic: fresh_topic(), publishing: publishing() }
    }

    pub(crate) async fn postgres() -> Self {
        Self::new(TestDatabase::postgres().await)
    }

    /// For a test that kills servers.
    pub(crate) async fn postgres_within(servers: &Exclusive) -> Self {
        Self::new(TestDatabase::postgres_within(servers).await)
    }

    pub(crate) fn sqlite() -> Self {
        Self::new(TestDatabase::sqlite())
    }

    /// The same environment in this mode, whatever the mode of the run.
    pub(crate) fn published(self, publishing: Publishing) -> Self {
        Self { publishing, ..self }
    }

    /// A copy of the database as it is now, with the same topic: what restoring a backup of this moment would give.
    pub(crate) async fn backup(&self) -> Self {
        Self { database: self.database.copy().await, ..self.clone() }
    }

    /// Starts an instance and waits until it listens.
    pub(crate) fn start(&self) -> Instance {
        self.start_with(&[])
    }

    /// Starts an instance with more settings, each the name and value of an environment variable.
    pub(crate) fn start_with(&self, settings: &[(&str, &str)]) -> Instance {
        Instance::start(self, &[], settings)
    }

    /// The same with arguments of the program.
    pub(crate) fn start_as(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Instance {
        Instance::start(self, arguments, settings)
    }

    /// Runs a command of the program to its end, with more settings as above.
    pub(crate) fn run(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
        let directory = tempfile::tempdir().unwrap();
        program(self, settings, directory.path()).args(arguments).output().unwrap()
    }

    /// Publishes events from an instance that ends cleanly, and returns the last position of each shard.
    pub(crate) async fn publish_some(&self) -> BTreeMap<u16, u64> {
        let instance = self.start();
        create_many(&mut instance.client(), MANY).await;
        instance.wait_until_published(MANY).await;
        instance.end().await;
        assert_eq!(read_committed(&self.topic).await.len(), MANY);
        self.log_ends().await
    }

    /// The last position of each shard.
    pub(crate) async fn log_ends(&self) -> BTreeMap<u16, u64> {
        (0..).zip(self.database.log_ends().await).collect()
    }

    /// Takes the database back to when a shard ended at `last`, as restoring an older backup would.
    pub(crate) async fn forget_events(&self, shard: u16, last: u64) {
        for sql in [
            format!("DELETE FROM event_log WHERE shard = {shard} AND pos > {last}"),
            format!("UPDATE event_head SET next = {last} + 1 WHERE shard = {shard}"),
            format!("UPDATE relay_checkpoint SET pos = least(pos, {last}), exact = false WHERE shard = {shard}"),
        ] {
            self.database.execute(&sql).await;
        }
    }

    /// Deletes one event from the log.
    pub(crate) async fn lose_event(&self, shard: u16, position: u64) {
        let sql = format!("DELETE FROM event_log WHERE shard = {shard} AND pos = {position}");
        assert_eq!(self.database.execute(&sql).await, 1, "there is an event {shard}/{position}");
    }

    /// Audits the database and the topic against what callers were told.
    pub(crate) async fn audit(&self, acknowledged: Vec<Acknowledged>) -> Report {
        audit(self.database.url(), &kafka(), &self.topic, acknowledged).await.unwrap()
    }

    /// Audits the database and the topic; fails unless everything is published.
    pub(crate) async fn audit_published(&self) -> Report {
        let report = self.audit(Vec::new()).await;
        report.assert_clean_and_published();
        report
    }
}
