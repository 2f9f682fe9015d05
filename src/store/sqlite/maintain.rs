//! What must be done from time to time: old idempotency keys, versions of templates.

use sqlx::SqlitePool;

use crate::domain::{ProfileTemplate, Timestamp};
use crate::store::{StoreError, document};

/// Rows deleted at once, so that no delete keeps a batch waiting for long.
const DELETE_CHUNK: u32 = 1_000;

/// Drops idempotency keys used before a time.
pub(super) async fn drop_keys(pool: &SqlitePool, before: Timestamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM idempotency_key WHERE (caller, key) IN
               (SELECT caller, key FROM idempotency_key WHERE used_at < ? LIMIT ?)";
    loop {
        let dropped = sqlx::query(sql).bind(before.micros()).bind(DELETE_CHUNK).execute(pool).await?;
        if dropped.rows_affected() < u64::from(DELETE_CHUNK) {
            return Ok(());
        }
    }
}

/// See [`crate::store::Store::put_template`].
pub(super) async fn put_template(
    pool: &SqlitePool,
    template: &ProfileTemplate,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let id = template.id.uuid();
    let document = document::write("profile_template", id, template)?;
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let newest: Option<(u32, String)> =
        sqlx::query_as("SELECT version, document FROM profile_template WHERE id = ? ORDER BY version DESC LIMIT 1")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
    let version = match newest {
        Some((version, kept)) if kept == document => return Ok(version),
        Some((version, _)) => version + 1,
        None => 1,
    };
    sqlx::query("INSERT INTO profile_template (id, version, document, created_at) VALUES (?, ?, ?, ?)")
        .bind(id)
        .bind(version)
        .bind(document)
        .bind(now.micros())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(version)
}
