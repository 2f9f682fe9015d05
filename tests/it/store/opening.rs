//! Opening a database, alone and concurrently, and its regular maintenance.

use std::sync::Arc;
use std::time::Duration;

use cmgate::domain::Command;
use cmgate::runtime::clock::Clock;
use cmgate::store::{PartitionGroupLock, Store, StoreError};
use futures::future::join_all;
use tokio::sync::Barrier;

use super::steps::{carry_out, commit_one, read, whole_log};
use crate::support::commands::{
    TARGET, at, command, complete, creation, creation_at, fresh_card, request, start, under_key,
};
use crate::support::database::{Engine, TestDatabase, topology};

/// Maximum time for the server to notice a closed connection.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn acknowledged_writes_survive_a_restart(database: &TestDatabase) {
    let store = database.open().await;
    let once = under_key("once", 1, creation(request(0)));
    let (created, _) = carry_out(&*store, once.clone()).await;
    carry_out(&*store, command(TARGET, created.id, start())).await;
    let card = fresh_card();
    let (completed, _) = carry_out(&*store, command(TARGET, created.id, complete(card))).await;
    let log = whole_log(&*store).await;
    store.close().await;

    let store = database.open().await;
    assert_eq!(read(&*store, created.id).await, *completed);
    assert_eq!(whole_log(&*store).await, log);
    assert_eq!(store.credentials(&[card.smartcard.unwrap().uuid()]).await.unwrap().len(), 1);
    assert_eq!(commit_one(&*store, once).await.unwrap().request, created);
    carry_out(&*store, creation(request(0))).await;
    assert_eq!(whole_log(&*store).await.len(), log.len() + 1);
}

pub(super) async fn two_processes_share_one_database(database: &TestDatabase) {
    let (one, other) = (database.open().await, database.open().await);
    let (created, _) = carry_out(&*one, creation(request(0))).await;
    let (started, _) = carry_out(&*other, command(TARGET, created.id, start())).await;
    assert_eq!(read(&*one, created.id).await, *started);
    assert_eq!(whole_log(&*one).await, whole_log(&*other).await);
}

pub(super) async fn a_database_with_another_topology_is_refused(database: &TestDatabase) {
    database.open_with(topology(4, 2)).await.unwrap();
    for (shards, groups) in [(8, 2), (2, 2), (4, 1), (4, 4)] {
        let refused = database.open_with(topology(shards, groups)).await.err();
        assert!(matches!(refused, Some(StoreError::Unfit(_))), "{shards} shards in {groups} groups: {refused:?}");
    }
    let store = database.open_with(topology(4, 2)).await.unwrap();
    assert_eq!(store.topology(), topology(4, 2));
    assert_eq!((store.log_ends().await.unwrap().len(), store.checkpoints().await.unwrap().len()), (4, 4));
}

pub(super) async fn a_newer_schema_is_refused(database: &TestDatabase) {
    database.open().await;
    let from_the_future = match database.engine() {
        Engine::Postgres => "(9999, 'later', true, '\\x00', 0)",
        Engine::Sqlite => "(9999, 'later', 1, x'00', 0)",
    };
    let columns = "version, description, success, checksum, execution_time";
    database.execute(&format!("INSERT INTO _sqlx_migrations ({columns}) VALUES {from_the_future}")).await;
    let refused = database.open_with(topology(4, 2)).await.err();
    assert!(matches!(refused, Some(StoreError::Unfit(_))), "{refused:?}");
}

pub(super) async fn a_partition_group_is_locked_by_one_process(database: &TestDatabase) {
    let (one, other) = (database.open().await, database.open().await);
    let lock = one.lock_partition_group(0).await.unwrap().expect("the lock is free");
    assert!(lock.is_held());
    assert!(other.lock_partition_group(0).await.unwrap().is_none());
    assert!(one.lock_partition_group(0).await.unwrap().is_none(), "the lock is exclusive within a process too");
    let neighbour = other.lock_partition_group(1).await.unwrap();
    assert!(neighbour.is_some_and(|lock| lock.is_held()), "the locks of groups are independent");

    drop(lock);
    let lock = lock_when_free(&*other, 0).await;
    assert!(lock.is_held());
    assert!(one.lock_partition_group(0).await.unwrap().is_none());
}

/// Takes a lock that was dropped before; the server frees it once it notices the closed connection.
async fn lock_when_free(store: &dyn Store, group: u16) -> Box<dyn PartitionGroupLock> {
    let tries = async {
        loop {
            if let Some(lock) = store.lock_partition_group(group).await.unwrap() {
                return lock;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tries).await.expect("dropping a lock releases it")
}

/// Several processes that start on an empty database create it once, and each runs its maintenance.
pub(super) async fn stores_can_be_opened_at_the_same_time(database: &TestDatabase) {
    for round in 0..8 {
        let database = database.another().await;
        let barrier = Arc::new(Barrier::new(4));
        let starts = (0..4).map(|_| {
            let (database, barrier) = (database.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                let opened = database.open_with(topology(4, 2)).await;
                barrier.wait().await;
                let store = opened.map_err(|error| format!("opening: {error:?}"))?;
                let maintained = store.maintain(at(0), at(-60)).await;
                maintained.map(|()| store).map_err(|error| format!("maintenance: {error:?}"))
            })
        });
        for started in join_all(starts).await {
            let store = started.unwrap().unwrap_or_else(|error| panic!("round {round}: {error}"));
            carry_out(&*store, creation(request(0))).await;
        }
    }
}

/// A call under a key at a time in seconds.
fn attempt(key: &str, seconds: i64) -> Command {
    Command { now: at(seconds), ..under_key(key, 1, creation_at(seconds)) }
}

/// The clock of this machine as seconds of [`at`].
fn seconds_now() -> i64 {
    (Clock::System.now().micros() - at(0).micros()) / 1_000_000
}

pub(super) async fn maintenance_deletes_only_old_keys(database: &TestDatabase) {
    let store = database.open().await;
    // The server's clock counts as well, so these times must not be ahead of it.
    let noon = seconds_now() - 3_600;
    store.maintain(at(noon), at(noon)).await.unwrap();
    let (old, _) = carry_out(&*store, attempt("old", noon)).await;
    let (young, _) = carry_out(&*store, attempt("young", noon + 10)).await;
    carry_out(&*store, attempt("newest", noon + 20)).await;
    store.maintain(at(noon + 20), at(noon + 10)).await.unwrap();

    let repeated = commit_one(&*store, attempt("young", noon + 21)).await.unwrap();
    assert_eq!((repeated.request, repeated.logged), (young, None));
    let (again, _) = carry_out(&*store, attempt("old", noon + 21)).await;
    assert_ne!(again.id, old.id);
    assert_eq!(read(&*store, old.id).await, *old);
    whole_log(&*store).await;
}

pub(super) async fn a_clock_that_is_ahead_deletes_no_keys(database: &TestDatabase) {
    const DAY: i64 = 24 * 3_600;
    let store = database.open().await;
    let now = seconds_now();
    let (created, _) = carry_out(&*store, attempt("once", now - 60)).await;
    for ahead in [DAY + 3_600, 400 * DAY] {
        store.maintain(at(now + ahead), at(now + ahead - DAY)).await.unwrap();
        let repeated = commit_one(&*store, attempt("once", now)).await.unwrap();
        assert_eq!((repeated.request, repeated.logged), (created.clone(), None), "{ahead} seconds ahead");
    }
}

/// Maintenance that starts after the first events still takes effect, for that day and the next.
pub(super) async fn maintenance_can_begin_after_the_first_events(database: &TestDatabase) {
    const DAY: i64 = 24 * 3_600;
    let store = database.open().await;
    let noon = seconds_now() - 3 * DAY;
    let (before, _) = carry_out(&*store, attempt("once", noon)).await;
    for days in [0, 1] {
        store.maintain(at(noon + days * DAY), at(noon - DAY)).await.unwrap();
        carry_out(&*store, attempt(&format!("day-{days}"), noon + days * DAY + 60)).await;
    }
    assert_eq!(whole_log(&*store).await.len(), 3);
    store.maintain(at(noon + 2 * DAY), at(noon + DAY)).await.unwrap();
    let (again, _) = carry_out(&*store, attempt("once", noon)).await;
    assert_ne!(again.id, before.id, "expired keys are deleted");
}

pub(super) async fn a_reachable_store_answers_a_ping(database: &TestDatabase) {
    let store = database.open().await;
    store.ping().await.unwrap();
    store.close().await;
    assert!(store.ping().await.is_err());
}
