//! The write path: one transaction a batch, row by row, since a statement costs no round trip here.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::{Sqlite, subject};
use crate::domain::{
    Action, Command, IdempotencyKey, Idempotent, Position, Request, RequestId, Shard, Subject, Timestamp,
};
use crate::store::document::{self, event_number, kind_number, status_number};
use crate::store::plan::{Change, Found, KeptReply, Plan, StoredReply, touched_by_batch};
use crate::store::{FOUND_BYTES, LoggedEvent, Reply, StoreError};

/// Carries out a batch; see [`crate::store::Store::commit`].
pub(super) async fn commit(store: &Sqlite, mut batch: &[Command]) -> Result<Vec<Reply>, StoreError> {
    loop {
        match read_and_write(store, batch).await {
            Err(StoreError::TooLargeTogether { fits }) => batch = &batch[..fits],
            result => return result,
        }
    }
}

async fn read_and_write(store: &Sqlite, batch: &[Command]) -> Result<Vec<Reply>, StoreError> {
    // The lock of the whole file is taken here, so no other batch can come between reading and writing.
    let mut writer = store.writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    let requests = read_requests(&mut tx, batch).await?;
    let subjects = subject::read(&mut tx, &touched_by_batch(batch, &requests)).await?;
    let found = Found { requests, subjects, keys: find_keys(&mut tx, batch).await? };
    let plan = Plan::of(batch, found, store.topology);
    if plan.is_empty() {
        tx.rollback().await?;
        writer.release();
        return Ok(plan.replies(Vec::new()));
    }
    let first = take_positions(&mut tx, &plan).await?;
    let events = plan.events(&first);
    for (change, event) in plan.changes.iter().zip(&events) {
        write_request(&mut tx, change).await?;
        if let Some(key) = &change.key {
            write_key(&mut tx, key, (&change.request, change.smartcard.as_ref()), change.event.at).await?;
        }
        append(&mut tx, event).await?;
    }
    for KeptReply { idempotent, request, smartcard, at } in &plan.kept {
        write_key(&mut tx, idempotent, (request, smartcard.as_ref()), *at).await?;
    }
    subject::write(&mut tx, &plan.subjects).await?;
    let committed = tx.commit().await;
    writer.end(committed).await?;
    Ok(plan.replies(events))
}

async fn read_requests(
    tx: &mut SqliteConnection,
    batch: &[Command],
) -> Result<HashMap<RequestId, Request>, StoreError> {
    let (mut found, mut bytes) = (HashMap::new(), 0);
    let existing = |(_, command): &(usize, &Command)| !matches!(command.action, Action::Create(_));
    for (fits, command) in batch.iter().enumerate().filter(existing) {
        let id = command.request;
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
    batch: &[Command],
) -> Result<HashMap<IdempotencyKey, StoredReply>, StoreError> {
    let (mut found, mut bytes) = (HashMap::new(), 0);
    for (fits, command) in batch.iter().enumerate() {
        let Some(key) = command.idempotent.as_ref().map(|idempotent| &idempotent.key) else { continue };
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

async fn take_positions(tx: &mut SqliteConnection, plan: &Plan) -> Result<HashMap<Shard, Position>, StoreError> {
    let mut first = HashMap::new();
    for (shard, events) in plan.demand() {
        let taken: i64 =
            sqlx::query_scalar("UPDATE event_head SET next = next + ?1 WHERE shard = ?2 RETURNING next - ?1")
                .bind(events.cast_signed())
                .bind(shard.number())
                .fetch_one(&mut *tx)
                .await?;
        first.insert(shard, Position::new(taken.cast_unsigned()));
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
    (request, smartcard): (&Request, Option<&Subject>),
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
        "INSERT INTO event_log (shard, pos, request_id, version, type, at, traceparent, payload)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.shard.number())
    .bind(event.position.get().cast_signed())
    .bind(event.request.uuid())
    .bind(event.version.get())
    .bind(event_number(event.event_type))
    .bind(event.at.micros())
    .bind(event.traceparent.as_deref())
    .bind(&event.payload[..])
    .execute(tx)
    .await?;
    Ok(())
}
