//! Reads of the event log, and the relay's checkpoints.

use std::iter;

use bytes::Bytes;
use chrono::NaiveDate;
use futures::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use super::pool::ConnectionPool;
use super::{Postgres, shard_number};
use crate::domain::{Position, RequestId, Shard, Timestamp, Version};
use crate::store::{Checkpoint, LOG_READ_BYTES, LoggedEvent, StoreError, document, stored_trace};

/// See [`crate::store::Store::log_ends`].
pub(super) async fn log_ends(pool: &ConnectionPool) -> Result<Vec<Position>, StoreError> {
    let sql = "SELECT next FROM event_head ORDER BY shard";
    let rows = pool.fetch_all(sqlx::query(sql)).await?;
    rows.iter().map(|row| Ok(Position::new((row.try_get::<i64, _>(0)? - 1).cast_unsigned()))).collect()
}

/// See [`crate::store::Store::read_log`].
pub(super) async fn read(
    store: &Postgres,
    shard: Shard,
    after: Position,
    limit: u32,
) -> Result<Vec<LoggedEvent>, StoreError> {
    let day = store.day_hints.start_day(shard, after);
    let mut events = read_from(&store.relay_pool, day, shard, after, limit).await?;
    // If a clock was wrong, some or all of the events have an earlier day.
    if day.is_some() && !are_contiguous(&events, after) {
        events = read_from(&store.relay_pool, None, shard, after, limit).await?;
    }
    store.day_hints.note(&events);
    Ok(events)
}

/// Whether there are events and they follow a position without a gap.
fn are_contiguous(events: &[LoggedEvent], after: Position) -> bool {
    let positions = iter::successors(Some(after.next()), |position| Some(position.next()));
    !events.is_empty() && events.iter().map(|event| event.position).eq(positions.take(events.len()))
}

/// Reads events of a day and of later ones, or of all days.
async fn read_from(
    pool: &ConnectionPool,
    day: Option<NaiveDate>,
    shard: Shard,
    after: Position,
    limit: u32,
) -> Result<Vec<LoggedEvent>, StoreError> {
    let sql = format!(
        "SELECT pos, request_id, version, type, at, correlation, traceparent, tracestate, payload
         FROM event_log WHERE shard = $1 AND pos > $2 {} ORDER BY pos LIMIT $3",
        since(day)
    );
    let mut connection = pool.acquire().await?;
    let mut rows = sqlx::query(AssertSqlSafe(sql))
        .bind(shard_number(shard))
        .bind(after.get().cast_signed())
        .bind(i64::from(limit))
        .fetch(&mut *connection);
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let event = event(shard, &row)?;
        bytes += event.payload.len();
        events.push(event);
        if bytes >= LOG_READ_BYTES as usize && events.len() < limit as usize {
            // The rest of the result could be far larger than the limit, so drop the connection instead of draining it.
            return Ok(events);
        }
    }
    drop(rows);
    connection.release();
    Ok(events)
}

/// The condition that excludes the partitions of older days. The day is a literal, so the planner prunes these partitions without
/// locking them.
fn since(day: Option<NaiveDate>) -> String {
    day.map_or_else(String::new, |day| format!("AND day >= DATE 'epoch' + {}", day.to_epoch_days()))
}

fn event(shard: Shard, row: &PgRow) -> Result<LoggedEvent, StoreError> {
    let position = Position::new(row.try_get::<i64, _>(0)?.cast_unsigned());
    let number: i16 = row.try_get(3)?;
    let event_type = document::event_type(number).ok_or_else(|| {
        StoreError::corrupt("event_log", format_args!("{shard}/{position}"), format!("unknown type {number}"))
    })?;
    let trace = stored_trace(row.try_get(5)?, row.try_get(6)?, row.try_get(7)?).map_err(|error| {
        StoreError::corrupt("event_log", format_args!("{shard}/{position}"), format!("correlation {error}"))
    })?;
    Ok(LoggedEvent {
        shard,
        position,
        request: RequestId::new(row.try_get::<Uuid, _>(1)?),
        version: Version::new(row.try_get::<i32, _>(2)?.cast_unsigned()),
        event_type,
        at: Timestamp::new(row.try_get(4)?),
        trace,
        payload: Bytes::from(row.try_get::<Vec<u8>, _>(8)?),
    })
}

/// See [`crate::store::Store::logged_at`].
pub(super) async fn logged_at(
    store: &Postgres,
    shard: Shard,
    after: Position,
) -> Result<Option<Timestamp>, StoreError> {
    let next = read(store, shard, after, 1).await?;
    Ok(next.first().filter(|event| event.position == after.next()).map(|event| event.at))
}

/// See [`crate::store::Store::checkpoints`].
pub(super) async fn checkpoints(pool: &ConnectionPool) -> Result<Vec<Checkpoint>, StoreError> {
    let sql = "SELECT shard, pos, exact, may_start_topic, ignored_to, owner FROM relay_checkpoint ORDER BY shard";
    let rows = pool.fetch_all(sqlx::query(sql)).await?;
    let read = |row: &PgRow| {
        Ok(Checkpoint {
            shard: Shard::new(row.try_get::<i16, _>(0)?.cast_unsigned()),
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
pub(super) async fn claim_checkpoints(pool: &ConnectionPool, shards: &[Shard], owner: Uuid) -> Result<(), StoreError> {
    let shards: Vec<i16> = shards.iter().map(|shard| shard_number(*shard)).collect();
    let sql = "UPDATE relay_checkpoint SET owner = $1 WHERE shard = ANY($2)";
    pool.execute(sqlx::query(sql).bind(owner).bind(shards)).await?;
    Ok(())
}

/// See [`crate::store::Store::put_checkpoints`].
pub(super) async fn put_checkpoints(pool: &ConnectionPool, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
    let mut connection = pool.acquire().await?;
    let written = put(&mut connection, checkpoints).await?;
    connection.release();
    Ok(written)
}

/// Replaces checkpoints whose owner is unchanged, and returns their number.
pub(super) async fn put(connection: &mut PgConnection, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
    let sql = "UPDATE relay_checkpoint SET pos = new.pos, exact = new.exact, may_start_topic = new.may_start_topic,
                      ignored_to = new.ignored_to
               FROM unnest($1::smallint[], $2::bigint[], $3::boolean[], $4::boolean[], $5::bigint[], $6::uuid[])
                    AS new (shard, pos, exact, may_start_topic, ignored_to, owner)
               WHERE relay_checkpoint.shard = new.shard AND relay_checkpoint.owner = new.owner";
    let put = sqlx::query(sql)
        .bind(checkpoints.iter().map(|checkpoint| shard_number(checkpoint.shard)).collect::<Vec<_>>())
        .bind(checkpoints.iter().map(|checkpoint| checkpoint.position.get().cast_signed()).collect::<Vec<_>>())
        .bind(checkpoints.iter().map(|checkpoint| checkpoint.exact).collect::<Vec<_>>())
        .bind(checkpoints.iter().map(|checkpoint| checkpoint.may_start_topic).collect::<Vec<_>>())
        .bind(checkpoints.iter().map(|checkpoint| checkpoint.ignored_to).collect::<Vec<_>>())
        .bind(checkpoints.iter().map(|checkpoint| checkpoint.owner).collect::<Vec<_>>());
    let written = put.execute(connection).await?;
    Ok(usize::try_from(written.rows_affected()).unwrap_or(usize::MAX))
}
