//! What callers were told against what is kept under their keys: a key had one effect, and its answer is the stored one.

use std::collections::HashMap;

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::load::Answered;

/// Checks every answer, and that each of so many events has the one key under which it was asked for.
pub(super) async fn check_keys(database_url: &str, answered: &[Answered], events: usize) {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    let sql = "SELECT key, CAST(reply ->> 'id' AS uuid), CAST(reply ->> 'version' AS integer) FROM idempotency_key";
    let rows: Vec<(String, Uuid, i32)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), events, "every event was asked for under a key of its own");
    let stored: HashMap<String, (Uuid, i32)> =
        rows.into_iter().map(|(key, request, version)| (key, (request, version))).collect();
    for Answered { key, request, version } in answered {
        let told = (*request, version.cast_signed());
        assert_eq!(stored.get(key), Some(&told), "under key {key} stands what its caller was told");
    }
}
