//! A key distribution center that `tests/services/kerberos` starts for one test, and its users.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::curl::Curl;
use crate::support::wait::wait_until;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/kerberos");

/// The password of every user.
const PASSWORD: &str = "Secret-1\n";

/// Held by the test that runs Samba: two domain controllers share files in `/run`, and one of them ends.
static SAMBA: Mutex<()> = Mutex::const_new(());

/// A running KDC.
pub(super) struct Kdc {
    directory: TempDir,
    process: Child,
    _alone: Option<MutexGuard<'static, ()>>,
}

/// Its implementation.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// MIT krb5 with two realms. Its tickets have no logon information.
    Mit,
    /// Samba as a domain controller, whose tickets have groups.
    Samba,
}

impl Kind {
    const fn verb(self) -> &'static str {
        match self {
            Self::Mit => "mit",
            Self::Samba => "samba",
        }
    }
}

impl Kdc {
    /// Starts one; `None`, with a line on stderr, if this machine lacks its packages and they are not required.
    pub(super) async fn start(kind: Kind) -> Option<Self> {
        let missing = Command::new(SCRIPT).args(["missing", kind.verb()]).output().unwrap();
        let missing = String::from_utf8(missing.stdout).unwrap().lines().collect::<Vec<_>>().join(", ");
        if !missing.is_empty() {
            super::skip(&format!("this machine lacks {missing}"));
            return None;
        }
        let alone = match kind {
            Kind::Mit => None,
            Kind::Samba => Some(SAMBA.lock().await),
        };
        let directory = tempfile::tempdir().unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new(SCRIPT)
            .arg(kind.verb())
            .arg(directory.path())
            .arg(free_port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut kdc = Self { directory, process, _alone: alone };
        wait_until("the KDC is ready", async || {
            let ended = kdc.process.try_wait().unwrap();
            assert!(ended.is_none(), "the KDC ended: {}", fs::read_to_string(kdc.path("log")).unwrap());
            kdc.path("ready").exists()
        })
        .await;
        Some(kdc)
    }

    /// A file in its directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its configuration for clients.
    pub(super) fn krb5_conf(&self) -> PathBuf {
        self.path("krb5.conf")
    }

    /// Logs a user in, once the KDC listens, and returns a client with the user's ticket.
    pub(super) async fn log_in(&self, user: &str) -> Curl {
        let cache = self.path(&format!("{user}.cache"));
        wait_until(&format!("{user} can log in"), async || log_in(&self.krb5_conf(), user, &cache)).await;
        Curl::new(self.krb5_conf(), cache)
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn log_in(krb5_conf: &Path, user: &str, cache: &Path) -> bool {
    let mut kinit = Command::new("kinit")
        .env("KRB5_CONFIG", krb5_conf)
        .arg("-c")
        .arg(cache)
        .arg(user)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A KDC that does not listen yet ends it before it reads.
    let _ = kinit.stdin.take().unwrap().write_all(PASSWORD.as_bytes());
    kinit.wait().unwrap().success()
}

/// A port that is free, as the one after it is in all likelihood: they lie outside the range of outgoing connections. No two calls
/// of a process return the same.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);

    let start = 20_000 + u16::try_from(std::process::id() % 4_000).unwrap() * 2;
    loop {
        let port = start + TAKEN.fetch_add(2, Ordering::Relaxed);
        assert!(port < 32_000, "no port is free");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Runs commands of ktutil.
pub(super) fn ktutil(commands: &str) {
    let mut ktutil = Command::new("ktutil").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    ktutil.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    assert!(ktutil.wait().unwrap().success(), "{commands}");
}
