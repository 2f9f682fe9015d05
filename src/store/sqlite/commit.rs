//! The write path: one transaction per batch, row by row, because a statement costs no round trip.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::{Sqlite, credential};
use crate::domain::{
    CorrelationId, Credential, IdempotencyKey, Idempotent, Position, Request, RequestId, Shard, Timestamp,
};
use crate::store::document::{self, event_number, kind_number, status_number};
use crate::store::positions::Positions;
use crate::store::{
    Change, Committed, Decide, FOUND_BYTES, KeptReply, LockedRows, LoggedEvent, MemberRows, StoreError, StoredReply,
};

/// Commits a batch; see [`crate::store::Store::commit`].
pub(super) async fn commit(store: &Sqlite, batch: &dyn Decide) -> Result<Committed, StoreError> {
    // This locks the whole file, so that no other batch writes between the reads and writes of this one.
    let mut connection = store.writer.acquire().await?;
    let mut tx = connection.begin_immediate().await?;
    let members = batch.members();
    let requests = read_requests(&mut tx, &members).await?;
    let credentials = credential::read(&mut tx, &batch.lock_set(&requests)).await?;
    let keys = find_keys(&mut tx, &members).await?;
    let writes = batch.decide(LockedRows { requests, credentials, keys }).in_lock_order();
    if writes.is_empty() {
        tx.rollback().await?;
        connection.release();
        return Ok(Committed { writes, events: Vec::new() });
    }
    let positions = Positions::of(&writes.changes, store.topology.shards);
    let first = take_positions(&mut tx, &positions).await?;
    let events = positions.events(&writes.changes, &first);
    for (change, event) in writes.changes.iter().zip(&events) {
        write_request(&mut tx, change).await?;
        if let Some(key) = &change.key {
            write_key(&mut tx, key, (&change.request, change.smartcard.as_ref()), change.at).await?;
        }
        append(&mut tx, event).await?;
    }
    for KeptReply { idempotent, request, smartcard, at } in &writes.kept {
        write_key(&mut tx, idempotent, (request, smartcard.as_ref()), *at).await?;
    }
    credential::write(&mut tx, &writes.credentials).await?;
    let committed = tx.commit().await;
    connection.end(committed).await?;
    Ok(Committed { writes, events })
}

async fn read_requests(
    tx: &mut SqliteConnection,
    members: &[MemberRows<'_>],
) -> Result<HashMap<RequestId, Request>, StoreError> {
    let (mut found, mut bytes) = (HashMap::new(), 0);
    for (fits, member) in members.iter().enumerate() {
        let Some(id) = member.request else { continue };
        let row =
            sqlx::query("SELECT document FROM request WHERE id = ?").bind(id.uuid()).fetch_optional(&mut *tx).await?;
        if let Some(row) = row {
            let document: &str = row.try_get(0)?;
            bytes += document.len();
            if bytes > FOUND_BYTES && !found.is_empty() {
                return Err(StoreError::TooLargeTogether { fits });
            }
            found.insert(id, document::read("request", id, document)?);
        }
    }
    Ok(found)
}

async fn find_keys(
    tx: &mut SqliteConnection,
    members: &[MemberRows<'_>],
) -> Result<HashMap<IdempotencyKey, StoredReply>, StoreError> {
    let (mut found, mut bytes) = (HashMap::new(), 0);
    for (fits, member) in members.iter().enumerate() {
        let Some(key) = member.key else { continue };
        let row = sqlx::query("SELECT fingerprint, reply, smartcard FROM idempotency_key WHERE caller = ? AND key = ?")
            .bind(key.user.uuid())
            .bind(key.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = row {
            let reply: &str = row.try_get(1)?;
            bytes += reply.len();
            if bytes > FOUND_BYTES && !found.is_empty() {
                return Err(StoreError::TooLargeTogether { fits });
            }
            let request = document::read("idempotency_key", key, reply)?;
            let smartcard: Option<&str> = row.try_get(2)?;
            let smartcard = smartcard.map(|text| document::read("idempotency_key", key, text)).transpose()?;
            found.insert(key.clone(), StoredReply { fingerprint: row.try_get(0)?, request, smartcard });
        }
    }
    Ok(found)
}

async fn take_positions(
    tx: &mut SqliteConnection,
    positions: &Positions,
) -> Result<HashMap<Shard, Position>, StoreError> {
    let mut first = HashMap::new();
    for (shard, events) in positions.positions_needed() {
        let taken: i64 =
            sqlx::query_scalar("UPDATE event_head SET next = next + ?1 WHERE shard = ?2 RETURNING next - ?1")
                .bind(events.cast_signed())
                .bind(shard.number())
                .fetch_one(&mut *tx)
                .await?;
        first.insert(*shard, Position::new(taken.cast_unsigned()));
    }
    Ok(first)
}

async fn write_request(tx: &mut SqliteConnection, change: &Change) -> Result<(), StoreError> {
    let request = &change.request;
    let document = document::write("request", request.id, &**request)?;
    let query = if change.is_new {
        sqlx::query(
            "INSERT INTO request (version, status, document, id, type, target, originator, template, submitted_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
    } else {
        sqlx::query("UPDATE request SET version = ?, status = ?, document = ? WHERE id = ?")
    };
    let mut query =
        query.bind(request.version.get()).bind(status_number(request.status())).bind(document).bind(request.id.uuid());
    if change.is_new {
        query = query
            .bind(kind_number(request.kind))
            .bind(request.target.uuid())
            .bind(request.originator.uuid())
            .bind(request.template.id.uuid())
            .bind(request.submitted_at.micros());
    }
    query.execute(tx).await?;
    Ok(())
}

async fn write_key(
    tx: &mut SqliteConnection,
    idempotent: &Idempotent,
    (request, smartcard): (&Request, Option<&Credential>),
    at: Timestamp,
) -> Result<(), StoreError> {
    let key = &idempotent.key;
    let smartcard = smartcard.map(|card| document::write("idempotency_key", key, card)).transpose()?;
    sqlx::query(
        "INSERT INTO idempotency_key (caller, key, fingerprint, reply, smartcard, used_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(key.user.uuid())
    .bind(key.as_str())
    .bind(idempotent.fingerprint.as_slice())
    .bind(document::write("idempotency_key", key, request)?)
    .bind(smartcard)
    .bind(at.micros())
    .execute(tx)
    .await?;
    Ok(())
}

async fn append(tx: &mut SqliteConnection, event: &LoggedEvent) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO event_log (shard, pos, request_id, version, type, at, correlation, traceparent, tracestate, payload)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.shard.number())
    .bind(event.position.get().cast_signed())
    .bind(event.request.uuid())
    .bind(event.version.get())
    .bind(event_number(event.event_type))
    .bind(event.at.micros())
    .bind(event.trace.correlation.as_ref().map(CorrelationId::as_str))
    .bind(event.trace.traceparent.as_deref())
    .bind(event.trace.tracestate.as_deref())
    .bind(&event.payload[..])
    .execute(tx)
    .await?;
    Ok(())
}
