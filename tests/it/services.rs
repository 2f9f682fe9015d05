//! The servers that the tests run against, and fresh places in them: a database, a file, a topic.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::runtime;
use uuid::Uuid;

/// URL of a Postgres database in which others can be made.
pub(crate) fn postgres() -> String {
    address("CMGATE_TEST_POSTGRES")
}

/// Address of a Kafka broker.
pub(crate) fn kafka() -> String {
    address("CMGATE_TEST_KAFKA")
}

/// Kills, stops or starts a server: `control("postgres", "kill")`; the verbs stand in `tests/services/control`. Blocks.
#[expect(dead_code, reason = "for the rounds of kills")]
pub(crate) fn control(server: &str, verb: &str) -> String {
    let output = Command::new(address("CMGATE_TEST_SERVICES")).args([server, verb]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cannot {verb} {server}: {message}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn address(variable: &str) -> String {
    let Ok(address) = env::var(variable) else {
        panic!("{variable} is not set: run the tests by `tests/with-services cargo test`, which starts the servers");
    };
    address
}

/// An empty Postgres database of one test; dropped with this value, whoever is still connected.
pub(crate) struct Database {
    name: String,
    url: String,
}

impl Database {
    /// Makes one.
    pub(crate) async fn create() -> Self {
        let name = format!("cmgate_{}", Uuid::new_v4().simple());
        execute(format!("CREATE DATABASE {name}")).await;
        let options = PgConnectOptions::from_str(&postgres()).unwrap().database(&name);
        Self { url: options.to_url_lossy().to_string(), name }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    /// A destructor cannot wait, and it may run inside the runtime of a test; so it waits in a thread of its own.
    fn drop(&mut self) {
        let drop_database = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let dropped = thread::spawn(|| {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(drop_database));
        });
        // A test that left the server killed has no database to drop, and has told why.
        let _ = dropped.join();
    }
}

async fn execute(sql: String) {
    let mut connection = PgConnection::connect(&postgres()).await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A directory of one test with the place of a SQLite file in it.
pub(crate) struct DatabaseFile {
    _directory: TempDir,
    path: PathBuf,
}

impl DatabaseFile {
    /// Makes one; the file does not exist yet.
    pub(crate) fn create() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { path: directory.path().join("cmgate.db"), _directory: directory }
    }

    /// Where it is to be.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }
}

/// A name that no topic has.
pub(crate) fn fresh_topic() -> String {
    format!("cmgate-test-{}", Uuid::new_v4().simple())
}
