//! The Postgres and Kafka that `tests/with-services` started: their addresses, their faults, and who may use them.

use std::env;
use std::fmt::Display;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::str::FromStr;
use std::sync::{Condvar, Mutex, PoisonError};

use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

/// URL of the Postgres database from which other databases are created.
pub(crate) fn postgres() -> String {
    address("CMGATE_TEST_POSTGRES")
}

/// Address of a Kafka broker.
pub(crate) fn kafka() -> String {
    address("CMGATE_TEST_KAFKA")
}

/// Address of the listener that asks for a password, and the settings of an instance that authenticates there.
pub(crate) fn kafka_with_password() -> (String, [(&'static str, &'static str); 4]) {
    let properties = [
        ("CMGATE__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "sasl_plaintext"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_MECHANISM", "PLAIN"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_USERNAME", "relay"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD", "let-me-in"),
    ];
    (address("CMGATE_TEST_KAFKA_PASSWORD"), properties)
}

/// Address at which Postgres listens.
pub(crate) fn postgres_address() -> SocketAddr {
    let options = PgConnectOptions::from_str(&postgres()).unwrap();
    format!("{}:{}", options.get_host(), options.get_port()).parse().unwrap()
}

/// A listener of the broker that advertises another address, where a test can start a proxy.
pub(crate) struct ProxiedListener {
    /// The address that clients are sent to.
    pub(crate) advertised: SocketAddr,
    /// The address at which the broker listens.
    pub(crate) listens: SocketAddr,
}

impl ProxiedListener {
    /// The one listener of this kind.
    pub(crate) fn kafka() -> Self {
        let ports = address("CMGATE_TEST_KAFKA_PROXY");
        let (from, to) = ports.split_once(':').unwrap();
        let local = |port: &str| ([127, 0, 0, 1], port.parse().unwrap()).into();
        Self { advertised: local(from), listens: local(to) }
    }
}

/// Kills, stops or starts a server, for example `control("postgres", "kill")`; `tests/services/control` lists the verbs. Blocks.
pub(crate) fn control(server: &str, verb: &str) -> String {
    let output = try_control(server, verb);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cannot {verb} {server}: {message}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Like [`control`], for a verb that may fail.
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

/// How the tests of this process use the servers: many share them, or one has them for itself and may kill them.
static USE: (Mutex<Usage>, Condvar) = (Mutex::new(Usage { shares: 0, is_exclusive: false }), Condvar::new());

struct Usage {
    shares: u32,
    is_exclusive: bool,
}

/// Permission to use the servers together with other tests; while it exists, no test kills a server. One test may hold several,
/// so a share never waits for an [`Exclusive`] that is itself waiting.
pub(crate) struct Share(());

impl Share {
    /// Waits while a test has the servers for itself.
    pub(crate) fn take() -> Self {
        let (usage, changed) = &USE;
        let usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
        let mut usage = changed.wait_while(usage, |usage| usage.is_exclusive).unwrap_or_else(PoisonError::into_inner);
        usage.shares += 1;
        Self(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let (usage, changed) = &USE;
        usage.lock().unwrap_or_else(PoisonError::into_inner).shares -= 1;
        changed.notify_all();
    }
}

/// Permission to use the servers alone and to kill them.
pub(crate) struct Exclusive(());

impl Exclusive {
    /// Waits until no other test uses the servers.
    pub(crate) fn take() -> Self {
        let (usage, changed) = &USE;
        let usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = |usage: &mut Usage| usage.is_exclusive || usage.shares > 0;
        changed.wait_while(usage, in_use).unwrap_or_else(PoisonError::into_inner).is_exclusive = true;
        Self(())
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let (usage, changed) = &USE;
        usage.lock().unwrap_or_else(PoisonError::into_inner).is_exclusive = false;
        changed.notify_all();
    }
}

/// A topic name that is not in use.
pub(crate) fn fresh_topic() -> String {
    format!("cmgate-test-{}", Uuid::new_v4().simple())
}

/// An address at which nothing listens: port 1 is below the ports that systems assign.
pub(crate) const CLOSED_PORT: &str = "127.0.0.1:1";
