//! The Postgres log has one partition per day; reading the newest events does not touch the partitions of old days.

use std::sync::Arc;

use cmgate::domain::{Position, Shard};
use cmgate::store::{LoggedEvent, Store};
use sqlx::{Connection, PgConnection};

use super::steps::carry_out;
use crate::support::commands::{at, creation_at};
use crate::support::database::{TestDatabase, topology};
use crate::support::wait::PATIENCE;

const SHARD: Shard = Shard::new(0);
const DAY: i64 = 24 * 3_600;

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_events_are_read_while_an_old_day_is_locked() {
    let database = TestDatabase::postgres().await;
    let store = database.open_with(topology(1, 1)).await.unwrap();
    for day in [0, 10] {
        store.maintain(at(day * DAY), at(0)).await.unwrap();
    }
    let old = append(&store, &[0, 10]).await;
    assert_eq!(read(&store, 0).await, old);

    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let mut tx = stranger.begin().await.unwrap();
    let table: String = sqlx::query_scalar("SELECT tableoid::regclass::text FROM event_log WHERE pos = 1")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_ne!(table, "event_log_other", "the old day has a partition of its own");
    sqlx::query(sqlx::AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")))
        .execute(&mut *tx)
        .await
        .unwrap();
    let new = append(&store, &[10, 11]).await;
    let reading = async {
        assert_eq!(store.logged_at(SHARD, Position::new(2)).await.unwrap(), Some(at(10 * DAY)));
        assert_eq!(read(&store, 2).await, new);
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("reads do not touch old partitions");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_with_a_wrong_clock_are_read_in_order_of_position() {
    let database = TestDatabase::postgres().await;
    for days in [[10, 0, 10], [0, 10, 0], [10, 11, 0], [0, 0, 0]] {
        let store = database.open_with(topology(1, 1)).await.unwrap();
        let before = append(&store, &[10]).await[0].position.get();
        assert_eq!(read(&store, before - 1).await.len(), 1);
        let events = append(&store, &days).await;
        assert_eq!(store.logged_at(SHARD, Position::new(before)).await.unwrap(), Some(events[0].at), "{days:?}");
        let mut found = Vec::new();
        while found.len() < events.len() {
            let more = read(&store, before + found.len() as u64).await;
            assert!(!more.is_empty(), "{days:?}: {found:?}");
            found.extend(more);
        }
        assert_eq!(found, events, "{days:?}");
    }
}

/// Creates one request per day.
async fn append(store: &Arc<dyn Store>, days: &[i64]) -> Vec<LoggedEvent> {
    let mut events = Vec::new();
    for day in days {
        events.push(carry_out(&**store, creation_at(day * DAY)).await.1);
    }
    events
}

async fn read(store: &Arc<dyn Store>, after: u64) -> Vec<LoggedEvent> {
    store.read_log(SHARD, Position::new(after), 100).await.unwrap()
}
