//! The write path: one transaction per batch.

use std::collections::HashMap;

use futures::TryStreamExt;
use sqlx::postgres::PgArguments;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::conflict::{is_conflict, retry_on_conflict};
use super::pool::{commit_error, roll_back};
use super::{Postgres, credential, shard_number};
use crate::domain::{CorrelationId, Credential, IdempotencyKey, Position, Request, RequestId, Shard, ShardCount};
use crate::store::document::{self, event_number, kind_number, status_number};
use crate::store::positions::Positions;
use crate::store::{
    Change, Committed, Decide, FOUND_BYTES, KeptReply, LockedRows, LoggedEvent, MemberRows, StoreError, StoredReply,
    Workload, Writes,
};

/// A statement whose values are being bound.
type Statement<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// Bytes of documents in a batch above which the connection shrinks its buffers afterwards.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

const LOCK_REQUESTS: &str = "
    SELECT id, document::text FROM request WHERE id = ANY($1) ORDER BY id FOR UPDATE";

const FIND_KEYS: &str = "
    SELECT k.caller, k.key, k.fingerprint, k.reply::text, k.smartcard::text
    FROM idempotency_key k JOIN unnest($1::uuid[], $2::text[]) AS wanted (caller, key) USING (caller, key)";

/// Writes a whole batch: rows, keys, positions and events. The CTEs lock in the order of the store: keys before log ends. An
/// event without a position violates a constraint of the log, and then nothing of the batch is written.
macro_rules! write_statement {
    ($changed:literal, $keyed:literal, $after_keys:literal) => {
        concat!(
            "
    WITH change AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::integer[], $4::smallint[], $5::smallint[], $6::uuid[],
                             $7::uuid[], $8::uuid[], $9::timestamptz[], $10::text[], $11::smallint[], $12::bigint[],
                             $13::smallint[], $14::text[], $15::text[], $16::text[], $17::bytea[], $18::uuid[], $19::text[],
                             $20::bytea[], $21::text[])
             AS change (id, is_new, version, status, type, target, originator, template, at, document, shard, nth,
                        event, correlation, traceparent, tracestate, payload, caller, key, fingerprint, smartcard)
    ), created AS (
        INSERT INTO request (id, version, status, type, target, originator, template, submitted_at, document)
        SELECT id, version, status, type, target, originator, template, at, document::json FROM change WHERE is_new
    ), ",
            $changed,
            $keyed,
            "taken AS MATERIALIZED (
        SELECT shard, first FROM take_positions($22, $23) ",
            $after_keys,
            "
    ), appended AS (
        INSERT INTO event_log (shard, pos, request_id, version, type, at, day, correlation, traceparent, tracestate, payload)
        SELECT shard, taken.first + nth, id, version, event, at, (at AT TIME ZONE 'UTC')::date, correlation, traceparent,
               tracestate, payload
        FROM change LEFT JOIN taken USING (shard)
    )
    SELECT shard, first FROM taken"
        )
    };
}

/// Writes any batch. Keys of unchanged requests are inserted together with the others, so that all are locked in one order.
const WRITE: &str = write_statement!(
    "changed AS (
        UPDATE request SET version = change.version, status = change.status, document = change.document::json
        FROM change WHERE request.id = change.id AND NOT change.is_new
    ), ",
    "keyed AS (
        INSERT INTO idempotency_key (caller, key, fingerprint, reply, smartcard, used_at)
        SELECT caller, key, fingerprint, document::json, smartcard::json, at FROM change WHERE key IS NOT NULL
        UNION ALL
        SELECT caller, key, fingerprint, document::json, smartcard::json, at
        FROM unnest($24::uuid[], $25::text[], $26::bytea[], $27::text[], $28::text[], $29::timestamptz[])
             AS kept (caller, key, fingerprint, document, smartcard, at)
        ORDER BY caller, key
        RETURNING 1
    ), ",
    "WHERE (SELECT count(*) FROM keyed) >= 0"
);

/// Writes a batch of new requests without keys. Empty CTEs still cost: the full statement makes a lone create 25-50 % slower.
const WRITE_NEW: &str = write_statement!("", "", "");

/// Commits a batch; see [`crate::store::Store::commit`].
pub(super) async fn commit(store: &Postgres, batch: &dyn Decide) -> Result<Committed, StoreError> {
    if let Some(writes) = batch.decide_unread().filter(|writes| writes.credentials.is_empty()) {
        // A key that was used before causes a conflict; the batch is then decided over locked rows.
        match write_alone(store, writes.in_lock_order()).await {
            Err(error) if is_conflict(&error) => {}
            result => return result,
        }
    }
    retry_on_conflict(|| lock_and_write(store, batch)).await
}

/// Writes a batch that depends on no stored row: one statement is the whole transaction.
async fn write_alone(store: &Postgres, writes: Writes) -> Result<Committed, StoreError> {
    if writes.is_empty() {
        return Ok(Committed { writes, events: Vec::new() });
    }
    let mut connection = store.write_pool.acquire().await?;
    let written = write(&mut connection, &writes, store.topology.shards).await;
    let events = connection.finish(written.map_err(autocommit_error))?;
    Ok(Committed { writes, events })
}

/// Like [`commit_error`], for a statement that commits by itself.
fn autocommit_error(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(error)
        | StoreError::Busy(error)
        | StoreError::Denied(error)
        | StoreError::Refused(error) => commit_error(error),
        error => error,
    }
}

async fn lock_and_write(store: &Postgres, batch: &dyn Decide) -> Result<Committed, StoreError> {
    let pool = match batch.workload() {
        Workload::Commands => &store.write_pool,
        Workload::Import => &store.import_pool,
    };
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    match decide_and_write(&mut tx, batch, store.topology.shards).await {
        Ok(committed) if committed.writes.is_empty() => {
            tx.rollback().await?;
            connection.release();
            Ok(committed)
        }
        Ok(committed) => {
            tx.commit().await.map_err(commit_error)?;
            connection.release();
            Ok(committed)
        }
        Err(error) => {
            if roll_back(tx, &error).await {
                connection.release();
            }
            Err(error)
        }
    }
}

/// Locks the rows of a batch, decides it and writes the result; the caller commits.
async fn decide_and_write(
    tx: &mut PgConnection,
    batch: &dyn Decide,
    shards: ShardCount,
) -> Result<Committed, StoreError> {
    let members = batch.members();
    let requests = lock_requests(tx, &members).await?;
    let credentials = credential::lock(tx, &batch.lock_set(&requests)).await?;
    let keys = find_keys(tx, &members).await?;
    let writes = batch.decide(LockedRows { requests, credentials, keys }).in_lock_order();
    credential::write(tx, &writes.credentials).await?;
    let events = if writes.changes.is_empty() && writes.kept.is_empty() {
        Vec::new()
    } else {
        write(tx, &writes, shards).await?
    };
    Ok(Committed { writes, events })
}

async fn lock_requests(
    tx: &mut PgConnection,
    members: &[MemberRows<'_>],
) -> Result<HashMap<RequestId, Request>, StoreError> {
    let ids: Vec<Uuid> = members.iter().filter_map(|member| member.request).map(RequestId::uuid).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut rows = sqlx::query(LOCK_REQUESTS).bind(ids).fetch(tx);
    let (mut found, mut bytes) = (HashMap::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let id: Uuid = row.try_get(0)?;
        let document: &str = row.try_get(1)?;
        bytes += document.len();
        if bytes > FOUND_BYTES && !found.is_empty() {
            let is_found = |member: &&MemberRows<'_>| member.request.is_none_or(|id| found.contains_key(&id));
            return Err(StoreError::TooLargeTogether { fits: members.iter().take_while(is_found).count().max(1) });
        }
        found.insert(RequestId::new(id), document::read("request", id, document)?);
    }
    Ok(found)
}

async fn find_keys(
    tx: &mut PgConnection,
    members: &[MemberRows<'_>],
) -> Result<HashMap<IdempotencyKey, StoredReply>, StoreError> {
    let wanted = members.iter().filter_map(|member| member.key);
    let (callers, keys): (Vec<Uuid>, Vec<&str>) = wanted.clone().map(|key| (key.user.uuid(), key.as_str())).unzip();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let mut rows = sqlx::query(FIND_KEYS).bind(callers).bind(keys).fetch(tx);
    let (mut found, mut bytes) = (HashMap::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let (caller, key): (Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
        bytes += row.try_get::<&str, _>(3)?.len();
        if bytes > FOUND_BYTES && !found.is_empty() {
            // The rows are not in the order of the batch, so the members that fit are unknown: halve the batch.
            return Err(StoreError::TooLargeTogether { fits: members.len().div_ceil(2) });
        }
        let smartcard: Option<&str> = row.try_get(4)?;
        let smartcard = smartcard.map(|text| document::read("idempotency_key", format_args!("{caller}/{key}"), text));
        let reply = StoredReply {
            fingerprint: row.try_get(2)?,
            request: document::read("idempotency_key", format_args!("{caller}/{key}"), row.try_get(3)?)?,
            smartcard: smartcard.transpose()?,
        };
        let is_it = |wanted: &&IdempotencyKey| wanted.user.uuid() == caller && wanted.as_str() == key;
        if let Some(key) = wanted.clone().find(is_it) {
            found.insert(key.clone(), reply);
        }
    }
    Ok(found)
}

/// Writes changes and kept replies, and returns the events with their positions.
async fn write(
    connection: &mut PgConnection,
    writes: &Writes,
    shards: ShardCount,
) -> Result<Vec<LoggedEvent>, StoreError> {
    let positions = Positions::of(&writes.changes, shards);
    let needed = positions.positions_needed();
    let documents: Result<Vec<String>, StoreError> =
        writes.changes.iter().map(|change| document::write("request", change.request.id, &*change.request)).collect();
    let documents = documents?;
    let smartcard = |change: &Change| smartcard_document(change.smartcard.as_ref());
    let smartcards: Vec<Option<String>> = writes.changes.iter().map(smartcard).collect::<Result<_, _>>()?;
    let is_large = documents.iter().map(String::len).sum::<usize>() > KEPT_BUFFER_BYTES;
    let is_plain = writes.kept.is_empty() && writes.changes.iter().all(|change| change.is_new && change.key.is_none());
    let statement = sqlx::query(if is_plain { WRITE_NEW } else { WRITE })
        .bind(column(writes, |change| change.request.id.uuid()))
        .bind(column(writes, |change| change.is_new))
        .bind(column(writes, |change| change.request.version.get().cast_signed()))
        .bind(column(writes, |change| status_number(change.request.status())))
        .bind(column(writes, |change| kind_number(change.request.kind)))
        .bind(column(writes, |change| change.request.target.uuid()))
        .bind(column(writes, |change| change.request.originator.uuid()))
        .bind(column(writes, |change| change.request.template.id.uuid()))
        .bind(column(writes, |change| change.at.utc()))
        .bind(documents)
        .bind(positions.shards().map(shard_number).collect::<Vec<_>>())
        .bind(positions.offset_in_shard().map(u64::cast_signed).collect::<Vec<_>>())
        .bind(column(writes, |change| event_number(change.event_type)))
        .bind(column(writes, |change| change.trace.correlation.as_ref().map(CorrelationId::as_str)))
        .bind(column(writes, |change| change.trace.traceparent.as_deref()))
        .bind(column(writes, |change| change.trace.tracestate.as_deref()))
        .bind(column(writes, |change| &change.payload[..]))
        .bind(column(writes, |change| change.key.as_ref().map(|idempotent| idempotent.key.user.uuid())))
        .bind(column(writes, |change| change.key.as_ref().map(|idempotent| idempotent.key.as_str())))
        .bind(column(writes, |change| change.key.as_ref().map(|idempotent| idempotent.fingerprint.as_slice())))
        .bind(smartcards)
        .bind(needed.keys().map(|shard| shard_number(*shard)).collect::<Vec<_>>())
        .bind(needed.values().map(|events| events.cast_signed()).collect::<Vec<_>>());
    let statement = if is_plain { statement } else { bind_kept(statement, &writes.kept)? };
    let rows = statement.fetch_all(&mut *connection).await?;
    if is_large {
        connection.shrink_buffers();
    }
    if rows.len() < needed.len() {
        // `take_positions` returns one row per shard or fails. The cause is unknown, and the statement may have committed.
        return Err(StoreError::OutcomeUnknown(sqlx::Error::RowNotFound));
    }
    let read = |row: &sqlx::postgres::PgRow| {
        let (shard, first): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok((Shard::new(shard.cast_unsigned()), Position::new(first.cast_unsigned())))
    };
    let first: Result<HashMap<Shard, Position>, StoreError> = rows.iter().map(read).collect();
    Ok(positions.events(&writes.changes, &first?))
}

/// Binds the replies that are stored without a change.
fn bind_kept<'q>(statement: Statement<'q>, kept: &'q [KeptReply]) -> Result<Statement<'q>, StoreError> {
    let document = |kept: &KeptReply| document::write("idempotency_key", &kept.idempotent.key, &*kept.request);
    let documents: Vec<String> = kept.iter().map(document).collect::<Result<_, _>>()?;
    let smartcard = |kept: &KeptReply| smartcard_document(kept.smartcard.as_ref());
    let smartcards: Vec<Option<String>> = kept.iter().map(smartcard).collect::<Result<_, _>>()?;
    Ok(statement
        .bind(kept.iter().map(|kept| kept.idempotent.key.user.uuid()).collect::<Vec<_>>())
        .bind(kept.iter().map(|kept| kept.idempotent.key.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|kept| kept.idempotent.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind(documents)
        .bind(smartcards)
        .bind(kept.iter().map(|kept| kept.at.utc()).collect::<Vec<_>>()))
}

fn smartcard_document(smartcard: Option<&Credential>) -> Result<Option<String>, StoreError> {
    smartcard.map(|card| document::write("idempotency_key", card.id(), card)).transpose()
}

fn column<'a, T>(writes: &'a Writes, value: impl Fn(&'a Change) -> T) -> Vec<T> {
    writes.changes.iter().map(value).collect()
}
