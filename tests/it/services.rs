//! The servers that the tests run against, and fresh places in them: a database, a file, a topic.

use std::env;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::str::FromStr;
use std::sync::{Condvar, Mutex, PoisonError};
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

/// Address of the broker for clients that are let in by these properties.
pub(crate) fn kafka_with_password() -> (String, [(&'static str, &'static str); 4]) {
    let properties = [
        ("CMGATE__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "sasl_plaintext"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_MECHANISM", "PLAIN"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_USERNAME", "relay"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD", "let-me-in"),
    ];
    (address("CMGATE_TEST_KAFKA_PASSWORD"), properties)
}

/// Where Postgres listens.
pub(crate) fn postgres_address() -> SocketAddr {
    let options = PgConnectOptions::from_str(&postgres()).unwrap();
    format!("{}:{}", options.get_host(), options.get_port()).parse().unwrap()
}

/// A broker that tells its clients to come to another address, where a test can put a proxy.
pub(crate) struct Proxied {
    /// Where its clients come.
    pub(crate) advertised: SocketAddr,
    /// Where it listens.
    pub(crate) listens: SocketAddr,
}

impl Proxied {
    /// The broker's listener of this kind.
    pub(crate) fn kafka() -> Self {
        let ports = address("CMGATE_TEST_KAFKA_PROXY");
        let (from, to) = ports.split_once(':').unwrap();
        let local = |port: &str| ([127, 0, 0, 1], port.parse().unwrap()).into();
        Self { advertised: local(from), listens: local(to) }
    }
}

/// Kills, stops or starts a server: `control("postgres", "kill")`; the verbs stand in `tests/services/control`. Blocks.
pub(crate) fn control(server: &str, verb: &str) -> String {
    let output = try_control(server, verb);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cannot {verb} {server}: {message}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The same, if it may be refused.
pub(crate) fn try_control(server: &str, verb: &str) -> Output {
    Command::new(address("CMGATE_TEST_SERVICES")).args([server, verb]).output().unwrap()
}

/// Sends a signal, such as `STOP`, to a process.
pub(crate) fn signal(process: impl Display, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap();
    assert!(sent.success(), "cannot send {name} to {process}");
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
    share: Option<Share>,
}

impl Database {
    /// Makes one. The servers are not killed while it exists.
    pub(crate) async fn create() -> Self {
        let share = Share::take();
        let mut database = Self::create_unguarded().await;
        database.share = Some(share);
        database
    }

    /// Makes one for a test that kills servers.
    pub(crate) async fn create_within(_servers: &Exclusive) -> Self {
        Self::create_unguarded().await
    }

    /// Makes a copy of this one, to which nobody may be connected.
    pub(crate) async fn copy(&self) -> Self {
        let mut copy = Self::create_like(&self.name).await;
        copy.share = Some(Share::take());
        copy
    }

    async fn create_unguarded() -> Self {
        Self::create_like("template1").await
    }

    async fn create_like(template: &str) -> Self {
        let name = format!("cmgate_{}", Uuid::new_v4().simple());
        execute(format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let options = PgConnectOptions::from_str(&postgres()).unwrap().database(&name);
        Self { url: options.to_url_lossy().to_string(), name, share: None }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its URL through a proxy, which speaks no TLS.
    pub(crate) fn url_at(&self, proxy: SocketAddr) -> String {
        format!("postgres://postgres@{proxy}/{}?sslmode=disable", self.name)
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
    _share: Share,
}

impl DatabaseFile {
    /// Makes one; the file does not exist yet. The servers are not killed while it exists.
    pub(crate) fn create() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { path: directory.path().join("cmgate.db"), _directory: directory, _share: Share::take() }
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

/// How the tests of this process use the servers: many share them, or one has them for itself and may kill them.
static USE: (Mutex<Users>, Condvar) = (Mutex::new(Users { sharing: 0, is_taken: false }), Condvar::new());

struct Users {
    sharing: u32,
    is_taken: bool,
}

/// A share in the servers: nobody kills them. One test may hold several, so those who share go before those who kill.
struct Share;

impl Share {
    fn take() -> Self {
        let (users, changed) = &USE;
        let users = users.lock().unwrap_or_else(PoisonError::into_inner);
        let mut users = changed.wait_while(users, |users| users.is_taken).unwrap_or_else(PoisonError::into_inner);
        users.sharing += 1;
        Self
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let (users, changed) = &USE;
        users.lock().unwrap_or_else(PoisonError::into_inner).sharing -= 1;
        changed.notify_all();
    }
}

/// The servers for one test alone, which may kill them.
pub(crate) struct Exclusive(());

impl Exclusive {
    /// Waits until no other test uses the servers.
    pub(crate) fn take() -> Self {
        let (users, changed) = &USE;
        let users = users.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = |users: &mut Users| users.is_taken || users.sharing > 0;
        changed.wait_while(users, in_use).unwrap_or_else(PoisonError::into_inner).is_taken = true;
        Self(())
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let (users, changed) = &USE;
        users.lock().unwrap_or_else(PoisonError::into_inner).is_taken = false;
        changed.notify_all();
    }
}

/// A name that no topic has.
pub(crate) fn fresh_topic() -> String {
    format!("cmgate-test-{}", Uuid::new_v4().simple())
}
