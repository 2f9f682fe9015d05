//! Reads of the event log, and the relay's checkpoints.

use bytes::Bytes;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::writer::Writer;
use crate::domain::{Position, RequestId, Shard, Timestamp, Version};
use crate::store::{Checkpoint, LOG_READ_BYTES, LoggedEvent, StoreError, document, stored_trace};

/// See [`crate::store::Store::log_ends`].
pub(super) async fn log_ends(pool: &SqlitePool) -> Result<Vec<Position>, StoreError> {
    let next: Vec<i64> = sqlx::query_scalar("SELECT next FROM event_head ORDER BY shard").fetch_all(pool).await?;
    Ok(next.into_iter().map(|next| Position::new((next - 1).cast_unsigned())).collect())
}

/// See [`crate::store::Store::read_log`].
pub(super) async fn read(
    pool: &SqlitePool,
    shard: Shard,
    after: Position,
    limit: u32,
) -> Result<Vec<LoggedEvent>, StoreError> {
    let sql = "SELECT pos, request_id, version, type, at, correlation, traceparent, tracestate, payload
               FROM (SELECT *, sum(length(payload)) OVER (ORDER BY pos) - length(payload) AS bytes_before
                     FROM (SELECT * FROM event_log WHERE shard = ? AND pos > ? ORDER BY pos LIMIT ?))
               WHERE bytes_before < ? ORDER BY pos";
    let rows = sqlx::query(sql)
        .bind(shard.number())
        .bind(after.get().cast_signed())
        .bind(limit)
        .bind(LOG_READ_BYTES)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| event(shard, row)).collect()
}

fn event(shard: Shard, row: &SqliteRow) -> Result<LoggedEvent, StoreError> {
    let position = Position::new(row.try_get::<i64, _>(0)?.cast_unsigned());
    let corrupt = |what: String| StoreError::corrupt("event_log", format_args!("{shard}/{position}"), what);
    let number: i16 = row.try_get(3)?;
    let event_type = document::event_type(number).ok_or_else(|| corrupt(format!("unknown type {number}")))?;
    let micros: i64 = row.try_get(4)?;
    let at = Timestamp::from_micros(micros).ok_or_else(|| corrupt(format!("impossible time {micros}")))?;
    let trace = stored_trace(row.try_get(5)?, row.try_get(6)?, row.try_get(7)?);
    let trace = trace.map_err(|error| corrupt(format!("correlation {error}")))?;
    Ok(LoggedEvent {
        shard,
        position,
        request: RequestId::new(row.try_get::<Uuid, _>(1)?),
        version: Version::new(row.try_get(2)?),
        event_type,
        at,
        trace,
        payload: Bytes::from(row.try_get::<Vec<u8>, _>(8)?),
    })
}

/// See [`crate::store::Store::logged_at`].
pub(super) async fn logged_at(
    pool: &SqlitePool,
    shard: Shard,
    after: Position,
) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = sqlx::query_scalar("SELECT at FROM event_log WHERE shard = ? AND pos = ?")
        .bind(shard.number())
        .bind(after.next().get().cast_signed())
        .fetch_optional(pool)
        .await?;
    Ok(at.and_then(Timestamp::from_micros))
}

/// See [`crate::store::Store::checkpoints`].
pub(super) async fn checkpoints(pool: &SqlitePool) -> Result<Vec<Checkpoint>, StoreError> {
    let sql = "SELECT shard, pos, exact, may_start_topic, ignored_to, owner FROM relay_checkpoint ORDER BY shard";
    let rows = sqlx::query(sql).fetch_all(pool).await?;
    let read = |row: &SqliteRow| {
        Ok(Checkpoint {
            shard: Shard::new(row.try_get(0)?),
            position: Position::new(row.try_get::<i64, _>(1)?.cast_unsigned()),
            exact: row.try_get(2)?,
            may_start_topic: row.try_get(3)?,
            ignored_to: row.try_get(4)?,
            owner: row.try_get(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// See [`crate::store::Store::claim_checkpoints`].
pub(super) async fn claim_checkpoints(writer: &Writer, shards: &[Shard], owner: Uuid) -> Result<(), StoreError> {
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    for shard in shards {
        let sql = "UPDATE relay_checkpoint SET owner = ? WHERE shard = ?";
        sqlx::query(sql).bind(owner).bind(shard.number()).execute(&mut *tx).await?;
    }
    let committed = tx.commit().await;
    writer.end(committed).await
}

/// See [`crate::store::Store::put_checkpoints`].
pub(super) async fn put_checkpoints(writer: &Writer, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    let written = put(&mut tx, checkpoints).await?;
    let committed = tx.commit().await;
    writer.end(committed).await?;
    Ok(written)
}

/// Replaces checkpoints whose owner is unchanged, and returns their number.
pub(super) async fn put(connection: &mut SqliteConnection, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
    let mut written = 0;
    for checkpoint in checkpoints {
        let sql = "UPDATE relay_checkpoint SET pos = ?, exact = ?, may_start_topic = ?, ignored_to = ?
                   WHERE shard = ? AND owner = ?";
        let result = sqlx::query(sql)
            .bind(checkpoint.position.get().cast_signed())
            .bind(checkpoint.exact)
            .bind(checkpoint.may_start_topic)
            .bind(checkpoint.ignored_to)
            .bind(checkpoint.shard.number())
            .bind(checkpoint.owner)
            .execute(&mut *connection)
            .await?;
        written += usize::from(result.rows_affected() > 0);
    }
    Ok(written)
}
