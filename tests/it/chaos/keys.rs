//! Compares the answers that callers got with the stored idempotency keys: a key had one effect, and its answer is stored.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::load::Answered;

/// Key, and the request and version of its stored answer.
type Row = (String, Uuid, i32);

/// Checks every answer, and that each event has exactly one key.
pub(super) async fn check_keys(database_url: &str, answered: &[Answered]) {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    // One snapshot of both tables, because a call whose caller has disconnected may still complete.
    let mut view = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    let sql = "SELECT key, CAST(reply ->> 'id' AS uuid), CAST(reply ->> 'version' AS integer) FROM idempotency_key";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&mut *view).await.unwrap();
    let sql = "SELECT request_id, version FROM event_log";
    let events: Vec<(Uuid, i32)> = sqlx::query_as(sql).fetch_all(&mut *view).await.unwrap();
    let asked: BTreeSet<(Uuid, i32)> = rows.iter().map(|(_, request, version)| (*request, *version)).collect();
    assert_eq!(rows.len(), events.len(), "every event has one key, and every key had one effect");
    assert_eq!(asked, events.into_iter().collect(), "the stored answers match the events");
    let stored: HashMap<String, (Uuid, i32)> =
        rows.into_iter().map(|(key, request, version)| (key, (request, version))).collect();
    for Answered { key, request, version } in answered {
        let reply = (*request, version.cast_signed());
        assert_eq!(stored.get(key), Some(&reply), "the stored answer of key {key} is the one that its caller got");
    }
}
