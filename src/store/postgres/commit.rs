//! The write path: one transaction a batch.

use std::collections::HashMap;

use sqlx::{PgConnection, Postgres as Db, Row, Transaction};
use uuid::Uuid;

use super::{Postgres, subject};
use crate::domain::{Action, Command, IdempotencyKey, Position, RequestId, Shard};
use crate::store::document::{self, event_number, kind_number, status_number};
use crate::store::plan::{Change, Found, Plan, StoredReply, Touched};
use crate::store::{Reply, StoreError};

/// Attempts at a batch that met another batch: on an idempotency key or a card, or in a deadlock with a stranger's
/// transaction.
pub(super) const ATTEMPTS: u32 = 4;

/// What two batches can both believe to be new.
const CONTESTED: [&str; 3] = ["idempotency_key_pkey", "subject_pkey", "subject_card_in_use"];

/// Attempts to begin a transaction; a connection from the pool may have died since it was last used.
const BEGIN_ATTEMPTS: u32 = 3;

const LOCK_REQUESTS: &str = "
    SELECT id, document::text FROM request WHERE id = ANY($1) ORDER BY id FOR UPDATE";

const FIND_KEYS: &str = "
    SELECT k.caller, k.key, k.fingerprint, k.reply::text
    FROM idempotency_key k JOIN unnest($1::uuid[], $2::text[]) AS wanted (caller, key) USING (caller, key)";

const INSERT_REQUESTS: &str = "
    INSERT INTO request (id, version, status, type, target, originator, template, submitted_at, document)
    SELECT id, version, status, type, target, originator, template, submitted_at, document::jsonb
    FROM unnest($1::uuid[], $2::integer[], $3::smallint[], $4::smallint[], $5::uuid[], $6::uuid[], $7::uuid[],
                $8::timestamptz[], $9::text[])
         AS new (id, version, status, type, target, originator, template, submitted_at, document)";

const UPDATE_REQUESTS: &str = "
    UPDATE request SET version = new.version, status = new.status, document = new.document::jsonb
    FROM unnest($1::uuid[], $2::integer[], $3::smallint[], $4::text[]) AS new (id, version, status, document)
    WHERE request.id = new.id";

const INSERT_KEYS: &str = "
    INSERT INTO idempotency_key (caller, key, fingerprint, reply, used_at)
    SELECT caller, key, fingerprint, reply::jsonb, used_at
    FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[])
         AS new (caller, key, fingerprint, reply, used_at)
    ORDER BY caller, key";

/// Takes positions and fills them. The heads are locked in the order of the shards before any of them is moved; the events
/// are joined to what the move returned, so that the one cannot run before the other.
const APPEND: &str = "
    WITH locked AS MATERIALIZED (
        SELECT shard FROM event_head WHERE shard = ANY($1) ORDER BY shard FOR UPDATE
    ), taken AS (
        UPDATE event_head SET next = event_head.next + demand.events
        FROM unnest($1::smallint[], $2::bigint[]) AS demand (shard, events) JOIN locked USING (shard)
        WHERE event_head.shard = demand.shard
        RETURNING event_head.shard, event_head.next - demand.events AS first
    ), appended AS (
        INSERT INTO event_log (shard, pos, request_id, version, type, at, day, traceparent, payload)
        SELECT shard, taken.first + nth, request_id, version, type, at, (at AT TIME ZONE 'UTC')::date, traceparent, payload
        FROM unnest($3::smallint[], $4::bigint[], $5::uuid[], $6::integer[], $7::smallint[], $8::timestamptz[],
                    $9::text[], $10::bytea[])
             AS new (shard, nth, request_id, version, type, at, traceparent, payload)
             JOIN taken USING (shard)
    )
    SELECT shard, first FROM taken";

/// Carries out a batch; see [`crate::store::Store::commit`].
pub(super) async fn commit(store: &Postgres, batch: &[Command]) -> Result<Vec<Reply>, StoreError> {
    let mut attempt = 1;
    loop {
        match try_commit(store, batch).await {
            Err(StoreError::Refused(error)) if attempt < ATTEMPTS && met_another(&error) => attempt += 1,
            result => return result,
        }
    }
}

/// Unique violation (what the winner wrote is visible now), serialization failure, deadlock.
pub(super) fn met_another(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let on_new = error.constraint().is_some_and(|name| CONTESTED.contains(&name));
        on_new || error.code().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
    })
}

async fn try_commit(store: &Postgres, batch: &[Command]) -> Result<Vec<Reply>, StoreError> {
    let mut tx = begin(store).await?;
    let requests = lock_requests(&mut tx, batch).await?;
    let subjects = subject::lock(&mut tx, &Touched::by(batch, &requests)).await?;
    let found = Found { requests, subjects, keys: find_keys(&mut tx, batch).await? };
    let plan = Plan::of(batch, found, store.topology);
    if plan.changes.is_empty() {
        tx.rollback().await?;
        return Ok(plan.replies(Vec::new()));
    }
    insert_requests(&mut tx, &plan).await?;
    update_requests(&mut tx, &plan).await?;
    insert_keys(&mut tx, &plan).await?;
    subject::write(&mut tx, &plan.subjects).await?;
    let first = append(&mut tx, &plan).await?;
    // Whatever goes wrong from here on, the server may have committed.
    tx.commit().await.map_err(StoreError::OutcomeUnknown)?;
    let events = plan.events(&first);
    Ok(plan.replies(events))
}

pub(super) async fn begin(store: &Postgres) -> Result<Transaction<'static, Db>, StoreError> {
    let mut attempt = 1;
    loop {
        match store.writers.begin().await.map_err(StoreError::from) {
            Err(StoreError::Unavailable(sqlx::Error::Io(_))) if attempt < BEGIN_ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

async fn lock_requests(
    tx: &mut PgConnection,
    batch: &[Command],
) -> Result<HashMap<RequestId, crate::domain::Request>, StoreError> {
    let existing = batch.iter().filter(|command| !matches!(command.action, Action::Create(_)));
    let ids: Vec<Uuid> = existing.map(|command| command.request.uuid()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(LOCK_REQUESTS).bind(ids).fetch_all(tx).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let id: Uuid = row.try_get(0)?;
        let request = document::read("request", id, row.try_get(1)?)?;
        Ok((RequestId::new(id), request))
    };
    rows.iter().map(read).collect()
}

async fn find_keys(
    tx: &mut PgConnection,
    batch: &[Command],
) -> Result<HashMap<IdempotencyKey, StoredReply>, StoreError> {
    let wanted = batch.iter().filter_map(|command| command.idempotent.as_ref());
    let (callers, keys): (Vec<Uuid>, Vec<&str>) =
        wanted.clone().map(|idempotent| (idempotent.key.user.uuid(), idempotent.key.as_str())).unzip();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(FIND_KEYS).bind(callers).bind(keys).fetch_all(tx).await?;
    let mut found = HashMap::new();
    for row in rows {
        let (caller, key): (Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
        let reply = StoredReply {
            fingerprint: row.try_get(2)?,
            request: document::read("idempotency_key", format_args!("{caller}/{key}"), row.try_get(3)?)?,
        };
        let is_it = |idempotent: &&crate::domain::Idempotent| {
            idempotent.key.user.uuid() == caller && idempotent.key.as_str() == key
        };
        if let Some(idempotent) = wanted.clone().find(is_it) {
            found.insert(idempotent.key.clone(), reply);
        }
    }
    Ok(found)
}

async fn insert_requests(tx: &mut PgConnection, plan: &Plan) -> Result<(), StoreError> {
    let new: Vec<&Change> = plan.changes.iter().filter(|change| change.is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT_REQUESTS)
        .bind(column(&new, |change| change.request.id.uuid()))
        .bind(column(&new, version))
        .bind(column(&new, |change| status_number(change.request.status())))
        .bind(column(&new, |change| kind_number(change.request.kind)))
        .bind(column(&new, |change| change.request.target.uuid()))
        .bind(column(&new, |change| change.request.originator.uuid()))
        .bind(column(&new, |change| change.request.template.id.uuid()))
        .bind(column(&new, |change| change.request.submitted_at.utc()))
        .bind(documents(&new)?)
        .execute(tx)
        .await?;
    Ok(())
}

async fn update_requests(tx: &mut PgConnection, plan: &Plan) -> Result<(), StoreError> {
    let changed: Vec<&Change> = plan.changes.iter().filter(|change| !change.is_new).collect();
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(UPDATE_REQUESTS)
        .bind(column(&changed, |change| change.request.id.uuid()))
        .bind(column(&changed, version))
        .bind(column(&changed, |change| status_number(change.request.status())))
        .bind(documents(&changed)?)
        .execute(tx)
        .await?;
    Ok(())
}

async fn insert_keys(tx: &mut PgConnection, plan: &Plan) -> Result<(), StoreError> {
    let keyed: Vec<&Change> = plan.changes.iter().filter(|change| change.key.is_some()).collect();
    if keyed.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = keyed.iter().filter_map(|change| change.key.as_ref()).collect();
    sqlx::query(INSERT_KEYS)
        .bind(keys.iter().map(|idempotent| idempotent.key.user.uuid()).collect::<Vec<_>>())
        .bind(keys.iter().map(|idempotent| idempotent.key.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|idempotent| idempotent.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind(documents(&keyed)?)
        .bind(column(&keyed, |change| change.event.at.utc()))
        .execute(tx)
        .await?;
    Ok(())
}

async fn append(tx: &mut PgConnection, plan: &Plan) -> Result<HashMap<Shard, Position>, StoreError> {
    let demand = plan.demand();
    let changes: Vec<&Change> = plan.changes.iter().collect();
    let mut taken: HashMap<Shard, i64> = HashMap::new();
    let nth: Vec<i64> = changes
        .iter()
        .map(|change| {
            let next = taken.entry(change.shard).or_default();
            *next += 1;
            *next - 1
        })
        .collect();
    let rows = sqlx::query(APPEND)
        .bind(demand.keys().map(|shard| shard_number(*shard)).collect::<Vec<_>>())
        .bind(demand.values().map(|events| events.cast_signed()).collect::<Vec<_>>())
        .bind(column(&changes, |change| shard_number(change.shard)))
        .bind(nth)
        .bind(column(&changes, |change| change.request.id.uuid()))
        .bind(column(&changes, version))
        .bind(column(&changes, |change| event_number(change.event.event_type)))
        .bind(column(&changes, |change| change.event.at.utc()))
        .bind(changes.iter().map(|change| change.event.traceparent.as_deref()).collect::<Vec<_>>())
        .bind(changes.iter().map(|change| &change.payload[..]).collect::<Vec<_>>())
        .fetch_all(tx)
        .await?;
    if rows.len() < demand.len() {
        return Err(StoreError::corrupt("event_head", "all", "a shard has no row"));
    }
    let read = |row: &sqlx::postgres::PgRow| {
        let (shard, first): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok((Shard::new(shard.cast_unsigned()), Position::new(first.cast_unsigned())))
    };
    rows.iter().map(read).collect()
}

fn column<T>(changes: &[&Change], value: impl Fn(&Change) -> T) -> Vec<T> {
    changes.iter().map(|change| value(change)).collect()
}

fn documents(changes: &[&Change]) -> Result<Vec<String>, StoreError> {
    changes.iter().map(|change| document::write("request", change.request.id, &*change.request)).collect()
}

fn version(change: &Change) -> i32 {
    change.request.version.get().cast_signed()
}

/// Shards are at most 1,024, so their numbers fit a smallint.
pub(super) const fn shard_number(shard: Shard) -> i16 {
    shard.number().cast_signed()
}
