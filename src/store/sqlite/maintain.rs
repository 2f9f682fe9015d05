//! Maintenance: expired idempotency keys, template versions, and a check whether writes work.

use super::writer::Writer;
use crate::domain::{ProfileTemplate, Timestamp};
use crate::store::{OlderTemplate, StoreError, document};

/// Rows per DELETE, so that none delays a batch for long.
const DELETE_CHUNK: u32 = 1_000;

/// Deletes idempotency keys used before a time, except those within the retention time of the newest key: the clock may have
/// jumped ahead since that key was used.
pub(super) async fn drop_keys(writer: &Writer, now: Timestamp, before: Timestamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM idempotency_key WHERE (caller, key) IN
               (SELECT caller, key FROM idempotency_key
                WHERE used_at < min(?1, (SELECT max(used_at) FROM idempotency_key) - ?2) LIMIT ?3)";
    let kept_for = now.micros().saturating_sub(before.micros());
    loop {
        let mut writer = writer.acquire().await?;
        let drop_some = sqlx::query(sql).bind(before.micros()).bind(kept_for).bind(DELETE_CHUNK);
        let dropped = drop_some.execute(&mut *writer).await?;
        writer.release();
        if dropped.rows_affected() < u64::from(DELETE_CHUNK) {
            return Ok(());
        }
    }
}

/// Executes a no-op write.
pub(super) async fn probe(writer: &Writer) -> Result<(), StoreError> {
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    sqlx::query("UPDATE event_head SET next = next").execute(&mut *tx).await?;
    let committed = tx.commit().await;
    writer.end(committed).await
}

/// See [`crate::store::Store::put_template`].
pub(super) async fn put_template(
    writer: &Writer,
    template: &ProfileTemplate,
    older: OlderTemplate,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let id = template.id.uuid();
    let document = document::write("profile_template", id, template)?;
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    let (newest, equal): (u32, Option<u32>) = sqlx::query_as(
        "SELECT coalesce(max(version), 0), max(version) FILTER (WHERE document = ?2)
         FROM profile_template WHERE id = ?1",
    )
    .bind(id)
    .bind(&document)
    .fetch_one(&mut *tx)
    .await?;
    if let Some(version) = older.kept(&newest, equal) {
        tx.rollback().await?;
        writer.release();
        return Ok(version);
    }
    let version = newest + 1;
    sqlx::query("INSERT INTO profile_template (id, version, document, created_at) VALUES (?, ?, ?, ?)")
        .bind(id)
        .bind(version)
        .bind(document)
        .bind(now.micros())
        .execute(&mut *tx)
        .await?;
    let committed = tx.commit().await;
    writer.end(committed).await?;
    Ok(version)
}
