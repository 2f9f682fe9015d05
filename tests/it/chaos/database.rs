//! Postgres is killed or stopped, its connections end or hang, or one is cut around a commit. In the last case the caller gets
//! "outcome unknown", and a retry with the same key gets the true outcome.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::fleet::{Fleet, Wiring};
use super::proxy::{FaultAction, ProxyEvent};
use super::{Kind, ROUNDS, play};
use crate::support::servers::{control, signal};
use crate::support::wait::wait_until;

#[derive(Clone, Copy, Debug)]
enum DatabaseFault {
    /// Kill -9 of the postmaster and all backends.
    Killed,
    /// Postgres's own immediate shutdown.
    StoppedAtOnce,
    /// Kill -9 of one backend that writes, after which Postgres restarts all of them.
    BackendKilled,
    /// The sessions that hold the locks of partition groups are ended.
    LocksTerminated,
    /// The sessions that write are ended.
    WritersTerminated,
    /// Every connection is cut at any moment.
    Disconnected,
    /// Every connection stalls without closing, as when a host or a network is lost.
    Silent,
    /// A connection is cut before its commit reaches the server, which rolls back.
    CutBeforeCommit,
    /// A connection is cut after the server has committed and before its client receives the answer.
    CutAfterCommit,
    /// A connection is cut before an auto-committing statement of a batch reaches the server.
    CutBeforeWrite,
    /// A connection is cut after the server has executed such a statement.
    CutAfterWrite,
}

const FAULTS: [DatabaseFault; 11] = [
    DatabaseFault::CutAfterCommit,
    DatabaseFault::CutBeforeWrite,
    DatabaseFault::Killed,
    DatabaseFault::LocksTerminated,
    DatabaseFault::CutBeforeCommit,
    DatabaseFault::StoppedAtOnce,
    DatabaseFault::CutAfterWrite,
    DatabaseFault::WritersTerminated,
    DatabaseFault::BackendKilled,
    DatabaseFault::Disconnected,
    DatabaseFault::Silent,
];

/// Sessions of the service in this database that hold the lock of a partition group, and those that do not.
const LOCK_SESSIONS: &str = "datname = current_database() AND application_name = 'cmgate' AND pid IN (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";
const WRITERS: &str = "datname = current_database() AND application_name = 'cmgate' AND pid NOT IN (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_database_or_its_connections_die() {
    let kind = Kind {
        name: "database",
        wiring: Wiring::ProxiedPostgres,
        fleets: None,
        variants: &FAULTS,
        rare: DatabaseFault::Killed,
        rounds: ROUNDS,
    };
    play(kind, async |fleet, fault| {
        match fault {
            DatabaseFault::Killed => restart(fleet, "kill").await,
            DatabaseFault::StoppedAtOnce => restart(fleet, "stop-immediate").await,
            DatabaseFault::BackendKilled => kill_backend(fleet).await,
            DatabaseFault::LocksTerminated => terminate(fleet, LOCK_SESSIONS).await,
            DatabaseFault::WritersTerminated => terminate(fleet, WRITERS).await,
            DatabaseFault::Disconnected => fleet.proxy().cut_all(),
            DatabaseFault::Silent => fleet.proxy().fall_silent(),
            DatabaseFault::CutBeforeCommit => cut(fleet, ProxyEvent::CommitAsked).await,
            DatabaseFault::CutAfterCommit => cut(fleet, ProxyEvent::CommitAnswered).await,
            DatabaseFault::CutBeforeWrite => cut(fleet, ProxyEvent::WriteAsked).await,
            DatabaseFault::CutAfterWrite => cut(fleet, ProxyEvent::WriteAnswered).await,
        }
        Instant::now()
    })
    .await;
}

async fn restart(fleet: &mut Fleet, verb: &str) {
    control("postgres", verb);
    fleet.any_moment().await;
    control("postgres", "start");
}

async fn cut(fleet: &Fleet, event: ProxyEvent) {
    let before = fleet.load().unknown();
    fleet.proxy().set(event, FaultAction::Cut).sprung().await;
    fleet.load().wait_for_unknown(before).await;
}

async fn terminate(fleet: &Fleet, which: &str) {
    let sql = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {which}");
    let ended: i64 = ask(fleet, &sql).await;
    assert!(ended > 0, "no session of the service matches {which}");
}

/// The server ends all sessions when a backend is killed; it is back when it accepts new ones.
async fn kill_backend(fleet: &Fleet) {
    let mut witness = PgConnection::connect(fleet.env.database.url()).await.unwrap();
    let sql = format!("SELECT pid FROM pg_stat_activity WHERE {WRITERS} ORDER BY state = 'idle' LIMIT 1");
    let backend: i32 = ask(fleet, &sql).await;
    signal(backend, "KILL");
    wait_until("the server has ended the other sessions", async || witness.ping().await.is_err()).await;
    wait_until("the server is back", async || PgConnection::connect(fleet.env.database.url()).await.is_ok()).await;
}

async fn ask<T>(fleet: &Fleet, sql: &str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut connection = PgConnection::connect(fleet.env.database.url()).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
}
