//! Postgres is killed or stopped, its connections are ended or fall silent, or one is cut around a commit, so that a caller
//! cannot know what became of its call: it hears so, and its repetition under the same key hears the truth.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::proxy::{Deed, Sight};
use super::stage::{Stage, Wiring};
use super::{Kind, ROUNDS, play};
use crate::client::wait_until;
use crate::services::{control, signal};

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Kill -9 of the postmaster and all backends.
    Killed,
    /// Postgres's own immediate shutdown.
    StoppedAtOnce,
    /// Kill -9 of one backend that writes, upon which Postgres starts all of them again.
    BackendKilled,
    /// The sessions that hold the locks of the relay's lanes are ended.
    LanesTerminated,
    /// The sessions that write are ended.
    WritersTerminated,
    /// Every connection is cut at any moment.
    Disconnected,
    /// Every connection falls silent: no answer and no end, as when a host or a network between is lost.
    Silent,
    /// A connection is cut before its commit reaches the server, which takes everything back.
    CutBeforeCommit,
    /// A connection is cut after the server has committed and before its client hears of it.
    CutAfterCommit,
    /// The same for a batch that is one statement and commits by itself: before it reaches the server.
    CutBeforeWrite,
    /// After the server has carried it out.
    CutAfterWrite,
}

const FAULTS: [Fault; 11] = [
    Fault::CutAfterCommit,
    Fault::CutBeforeWrite,
    Fault::Killed,
    Fault::LanesTerminated,
    Fault::CutBeforeCommit,
    Fault::StoppedAtOnce,
    Fault::CutAfterWrite,
    Fault::WritersTerminated,
    Fault::BackendKilled,
    Fault::Disconnected,
    Fault::Silent,
];

/// Sessions of the service in this database that hold the lock of a lane, and those that don't.
const LANES: &str = "datname = current_database() AND application_name = 'cmgate' AND pid IN (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";
const WRITERS: &str = "datname = current_database() AND application_name = 'cmgate' AND pid NOT IN (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_database_or_its_connections_die() {
    let kind = Kind {
        name: "database",
        wiring: Wiring::ProxiedPostgres,
        stages: None,
        variants: &FAULTS,
        rare: Fault::Killed,
        rounds: ROUNDS,
    };
    play(kind, async |stage, fault| {
        match fault {
            Fault::Killed => restart(stage, "kill").await,
            Fault::StoppedAtOnce => restart(stage, "stop-immediate").await,
            Fault::BackendKilled => kill_backend(stage).await,
            Fault::LanesTerminated => terminate(stage, LANES).await,
            Fault::WritersTerminated => terminate(stage, WRITERS).await,
            Fault::Disconnected => stage.proxy().cut_all(),
            Fault::Silent => stage.proxy().fall_silent(),
            Fault::CutBeforeCommit => cut(stage, Sight::CommitAsked).await,
            Fault::CutAfterCommit => cut(stage, Sight::CommitAnswered).await,
            Fault::CutBeforeWrite => cut(stage, Sight::WriteAsked).await,
            Fault::CutAfterWrite => cut(stage, Sight::WriteAnswered).await,
        }
        Instant::now()
    })
    .await;
}

async fn restart(stage: &mut Stage, verb: &str) {
    control("postgres", verb);
    stage.any_moment().await;
    control("postgres", "start");
}

async fn cut(stage: &Stage, sight: Sight) {
    let before = stage.load().unknown();
    stage.proxy().set(sight, Deed::Cut).sprung().await;
    stage.load().wait_for_unknown(before).await;
}

async fn terminate(stage: &Stage, which: &str) {
    let sql = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {which}");
    let ended: i64 = ask(stage, &sql).await;
    assert!(ended > 0, "the service has sessions where {which}");
}

/// The server ends all sessions when one of them dies so; it is back when it takes new ones.
async fn kill_backend(stage: &Stage) {
    let mut witness = PgConnection::connect(&stage.place.database).await.unwrap();
    let sql = format!("SELECT pid FROM pg_stat_activity WHERE {WRITERS} ORDER BY state = 'idle' LIMIT 1");
    let backend: i32 = ask(stage, &sql).await;
    signal(backend, "KILL");
    wait_until("the server has noticed", async || witness.ping().await.is_err()).await;
    wait_until("the server is back", async || PgConnection::connect(&stage.place.database).await.is_ok()).await;
}

async fn ask<T>(stage: &Stage, sql: &str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut connection = PgConnection::connect(&stage.place.database).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
}
