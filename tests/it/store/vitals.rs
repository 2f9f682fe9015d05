//! What monitoring reads from a store.

use std::sync::Arc;

use cmgate::runtime::clock::Clock;
use cmgate::store::{PoolUse, Store};
use sqlx::{Connection, PgConnection};

use super::steps::{carry_out, commit_one};
use crate::support::commands::{creation, request, under_key};
use crate::support::database::{Engine, TestDatabase, topology};
use crate::support::wait::wait_until;

pub(super) async fn groups_without_an_owner_are_counted(database: &TestDatabase) {
    let (store, other) =
        (database.open_with(topology(4, 4)).await.unwrap(), database.open_with(topology(4, 4)).await.unwrap());
    let without_owner = async || store.vitals().await.unwrap().groups_without_owner;
    assert_eq!(without_owner().await, 4);
    let (first, second) = (other.lock_partition_group(0).await.unwrap(), store.lock_partition_group(3).await.unwrap());
    assert!(first.is_some() && second.is_some());
    assert_eq!(without_owner().await, 2);
    // To look is no attempt: the locks stay with their owners.
    assert!(store.lock_partition_group(0).await.unwrap().is_none());
    assert_eq!(other.vitals().await.unwrap().groups_without_owner, 2);
    drop(first);
    wait_until("the lock is released", async || without_owner().await == 3).await;
    drop(second);
    wait_until("the other lock is released", async || without_owner().await == 4).await;
}

pub(super) async fn idempotency_keys_are_counted(database: &TestDatabase) {
    let store = database.open().await;
    for number in 0..30 {
        commit_one(&*store, under_key(&format!("key-{number}"), 1, creation(request(0)))).await.unwrap();
    }
    if database.engine() == Engine::Postgres {
        database.execute("ANALYZE idempotency_key").await;
    }
    assert_eq!(store.idempotency_keys().await.unwrap(), Some(30));
}

pub(super) async fn the_clock_and_the_files_are_read_where_there_are_any(database: &TestDatabase) {
    let store = database.open().await;
    carry_out(&*store, creation(request(0))).await;
    let vitals = store.vitals().await.unwrap();
    match database.engine() {
        Engine::Postgres => {
            let ahead = vitals.clock.unwrap().ahead_of(&Clock::System);
            assert!(ahead.abs() < 3_600_000_000, "the server of the tests is on this machine: {ahead}");
            assert!(vitals.files.is_empty());
        }
        Engine::Sqlite => {
            assert_eq!(vitals.clock, None);
            let sizes: Vec<&str> = vitals.files.iter().map(|(name, _)| *name).collect();
            assert_eq!(sizes, ["database", "wal"]);
            assert!(vitals.files.iter().all(|(_, bytes)| *bytes > 0), "{vitals:?}");
        }
    }
}

pub(super) async fn idle_connections_are_counted(database: &TestDatabase) {
    let store = database.open().await;
    carry_out(&*store, creation(request(0))).await;
    let write = usage(&store, "write");
    assert_eq!((write.in_use, write.idle), (0, 1));
    assert_eq!(write.limit, (database.engine() == Engine::Sqlite).then_some(1));
}

/// A read that waits for a lock keeps its connection.
#[tokio::test(flavor = "multi_thread")]
async fn connections_in_use_are_counted() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    assert_eq!(usage(&store, "list").in_use, 0);
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let mut tx = stranger.begin().await.unwrap();
    sqlx::query("LOCK TABLE profile_template IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await.unwrap();
    let reading = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.templates().await }
    });
    wait_until("a connection is in use", async || usage(&store, "list").in_use == 1).await;
    assert!(usage(&store, "list").limit.is_some_and(|limit| limit > 1));
    tx.rollback().await.unwrap();
    reading.await.unwrap().unwrap();
    let PoolUse { in_use, idle, .. } = usage(&store, "list");
    assert_eq!((in_use, idle), (0, 1));
}

fn usage(store: &Arc<dyn Store>, pool: &str) -> PoolUse {
    store.pools().into_iter().find(|found| found.name == pool).unwrap()
}
