//! Least privilege: a role serves with the rights that `cmgate grants` gives it, and another role migrates.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cmgate::contract::v1::directory_service_client::DirectoryServiceClient;
use cmgate::contract::v1::{ImportUsersRequest, User, UserGroups, UserStatus};
use cmgate::domain::Timestamp;
use cmgate::store::{Postgres, PostgresSettings, SchemaUpdate, Store};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{QUIET, refusal};
use crate::audit::Acknowledged;
use crate::chaos::clock::KeyedCaller;
use crate::script;
use crate::support::client::{CARDS, Http, PAVLE};
use crate::support::commands::{at, complete, fresh_card, start};
use crate::support::database::{TestDatabase, topology};
use crate::support::env::TestEnv;
use crate::support::relay::{TestLog, TestRelay};

const DAY: i64 = 86_400_000_000;

/// A database that its owner has migrated, and a role that may only serve it.
struct Restricted {
    owner: TestEnv,
    role: String,
}

impl Restricted {
    async fn new() -> Self {
        let owner = TestEnv::postgres().await;
        let role = format!("cmgate \"serves\" {}", Uuid::new_v4().simple());
        owner.database.execute(&format!("CREATE ROLE {} LOGIN", Self::quoted(&role))).await;
        Self { owner, role }
    }

    fn quoted(role: &str) -> String {
        format!("\"{}\"", role.replace('"', "\"\""))
    }

    fn url(&self) -> String {
        let user = self.role.replace('"', "%22").replace(' ', "%20");
        self.owner.database.url().replacen("postgres@", &format!("{user}@"), 1)
    }

    /// What the role does.
    fn env(&self) -> TestEnv {
        TestEnv { database: TestDatabase::at(self.url()), ..self.owner.clone() }
    }

    /// Executes the output of `cmgate grants`.
    async fn grant(&self) {
        let output = self.owner.run(&[QUIET], &["grants", &self.role]);
        assert!(output.status.success(), "{output:?}");
        let mut connection = PgConnection::connect(self.owner.database.url()).await.unwrap();
        let sql = String::from_utf8(output.stdout).unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }

    async fn drop_role(&self) {
        let role = Self::quoted(&self.role);
        self.owner.database.execute(&format!("DROP OWNED BY {role}")).await;
        self.owner.database.execute(&format!("DROP ROLE {role}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_up_to_date_is_refused() {
    let restricted = Restricted::new().await;
    let (owner, env) = (&restricted.owner, restricted.env());
    let refused = refusal(&owner.run(&[QUIET], &["serve", "--no-migrate"]));
    assert_eq!(refused, "the database has no schema yet; run `cmgate migrate` with the role that owns it");
    assert!(owner.run(&[QUIET], &["migrate"]).status.success());
    let refused = refusal(&env.run(&[QUIET], &["serve", "--no-migrate"]));
    assert!(refused.starts_with("the role may not read the table _sqlx_migrations; execute"), "{refused}");
    restricted.grant().await;
    owner.database.execute("UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1").await;
    let refused = refusal(&env.run(&[QUIET], &["serve", "--no-migrate"]));
    assert!(refused.starts_with("migration 1 of the database was applied with another text"), "{refused}");
    owner.database.execute("DELETE FROM _sqlx_migrations").await;
    let refused = refusal(&env.run(&[QUIET], &["serve", "--no-migrate"]));
    assert!(refused.starts_with("1 migrations of the schema are not applied yet; run `cmgate migrate`"), "{refused}");
    restricted.drop_role().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_script_plays_with_exactly_the_granted_rights() {
    let restricted = Restricted::new().await;
    assert!(restricted.owner.run(&[QUIET], &["migrate"]).status.success());
    restricted.grant().await;
    let env = restricted.env();
    let instance = env.start_as(&["serve", "--no-migrate"], &[]);
    script::play(&instance).await;
    let users = vec![User {
        id: PAVLE.to_owned(),
        upn: "pavle@corp.example".to_owned(),
        name: "Pavle".to_owned(),
        groups: Some(UserGroups::default()),
        status: UserStatus::Active.into(),
        ..User::default()
    }];
    let mut directory = DirectoryServiceClient::new(instance.channel());
    for _ in 0..2 {
        directory.import_users(ImportUsersRequest { users: users.clone() }).await.unwrap();
    }
    let body =
        format!(r#"{{"type": "Enroll", "profiletemplateuuid": "{CARDS}", "datacollection": "[]", "comment": ""}}"#);
    let key = [("Idempotency-Key", "7")];
    let created = Http::public(&instance).post(&key, &body).await.created();
    assert_eq!(Http::public(&instance).post(&key, &body).await.created(), created);
    let events = env.database.log_ends().await.into_iter().sum::<u64>();
    instance.wait_until_published(events.try_into().unwrap()).await;
    assert_eq!(instance.private.get("/readyz").await.status, 200);
    let log = instance.log();
    assert!(!log.contains("permission denied") && !log.contains("denied access"), "{log}");
    instance.end().await;
    let tail = env.run(&[QUIET], &["tail", "--no-follow"]);
    assert_eq!(tail.stdout.split(|byte| *byte == b'\n').count() as u64, events + 1, "{:?}", tail.stderr);
    restricted.owner.audit_published().await;
    restricted.drop_role().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_right_to_change_the_schema_serves_over_midnight() {
    let restricted = Restricted::new().await;
    restricted.owner.database.open().await.close().await;
    restricted.grant().await;
    let (url, topology) = (restricted.url(), topology(4, 2));
    let settings = PostgresSettings { url, max_connections: 4, relay_connections: 4, topology };
    let store: Arc<dyn Store> = Arc::new(Postgres::connect_with(&settings, SchemaUpdate::Refuse).await.unwrap());
    let mut stranger = PgConnection::connect(&settings.url).await.unwrap();
    for sql in ["CREATE TABLE x (y int)", "DELETE FROM event_log", "UPDATE profile_template SET version = version"] {
        let refused = sqlx::query(sql).execute(&mut stranger).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{sql}: {refused}");
    }

    // A month, because maintenance prepares the partitions of a week.
    let time = Arc::new(AtomicI64::new(at(0).micros() / DAY * DAY + DAY - 1));
    let mut log = TestLog::on(Arc::clone(&store), TestEnv::new(restricted.owner.database.clone()));
    let caller = KeyedCaller::new(&log, &time).await;
    let relay = TestRelay::start(&log).await;
    for day in 0..30 {
        let now = Timestamp::from_micros(time.load(Ordering::Relaxed)).unwrap();
        store.maintain(now, Timestamp::from_micros(now.micros() - DAY).unwrap()).await.unwrap();
        let (_, before, _) = caller.create().await;
        time.fetch_add(1, Ordering::Relaxed);
        let (_, after, _) = caller.step(before.id, start()).await;
        let (_, last, _) = caller.step(before.id, complete(fresh_card())).await;
        for request in [&before, &after, &last] {
            log.acknowledged.push(Acknowledged { request: request.id.uuid(), version: request.version.get() });
        }
        assert_eq!(now.day().succ_opt(), Some(Timestamp::from_micros(now.micros() + 1).unwrap().day()), "day {day}");
        time.fetch_add(DAY - 1, Ordering::Relaxed);
    }
    relay.wait_until_published().await;
    relay.stop().await;
    assert_eq!(restricted.owner.database.count("event_log_other").await, 0, "every day has its own partition");
    assert_eq!(log.audit().await.records, 90);
    log.audit().await.assert_clean_and_published();
    drop(caller);
    store.close().await;
    stranger.close().await.unwrap();
    restricted.drop_role().await;
}
