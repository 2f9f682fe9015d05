//! The write path: one transaction a batch.

use std::collections::HashMap;

use futures::TryStreamExt;
use sqlx::postgres::PgArguments;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::lines::{after_commit, roll_back};
use super::{Postgres, subject};
use crate::domain::{Action, Command, IdempotencyKey, Position, RequestId, Shard, Subject};
use crate::store::document::{self, event_number, kind_number, status_number};
use crate::store::plan::{Change, Found, KeptReply, Plan, StoredReply, touched_by_batch};
use crate::store::{FOUND_BYTES, Reply, StoreError, Topology};

/// A statement whose values are being bound.
type Statement<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// Attempts at a batch that met another batch: on an idempotency key or a card, or in a deadlock with a stranger's
/// transaction.
const ATTEMPTS: u32 = 4;

/// What a batch writes, in bytes, from which on a connection gives up the buffer that it made for it.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// What two batches can both believe to be new.
const CONTESTED: [&str; 4] = ["idempotency_key_pkey", "subject_pkey", "subject_card_in_use", "subject_valid_on_card"];

const LOCK_REQUESTS: &str = "
    SELECT id, document::text FROM request WHERE id = ANY($1) ORDER BY id FOR UPDATE";

const FIND_KEYS: &str = "
    SELECT k.caller, k.key, k.fingerprint, k.reply::text, k.smartcard::text
    FROM idempotency_key k JOIN unnest($1::uuid[], $2::text[]) AS wanted (caller, key) USING (caller, key)";

/// Writes a batch whole: its rows, its keys, its places in the log and its events. The steps lock in the order of the store:
/// the heads wait for the keys. An event without a position is not taken by the log, and then nothing of the batch is written.
macro_rules! write_statement {
    ($changed:literal, $keyed:literal, $after_keys:literal) => {
        concat!(
            "
    WITH change AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::integer[], $4::smallint[], $5::smallint[], $6::uuid[],
                             $7::uuid[], $8::uuid[], $9::timestamptz[], $10::text[], $11::smallint[], $12::bigint[],
                             $13::smallint[], $14::text[], $15::bytea[], $16::uuid[], $17::text[], $18::bytea[], $19::text[])
             AS change (id, is_new, version, status, type, target, originator, template, at, document, shard, nth,
                        event, traceparent, payload, caller, key, fingerprint, smartcard)
    ), created AS (
        INSERT INTO request (id, version, status, type, target, originator, template, submitted_at, document)
        SELECT id, version, status, type, target, originator, template, at, document::json FROM change WHERE is_new
    ), ",
            $changed,
            $keyed,
            "taken AS MATERIALIZED (
        SELECT shard, first FROM take_positions($20, $21) ",
            $after_keys,
            "
    ), appended AS (
        INSERT INTO event_log (shard, pos, request_id, version, type, at, day, traceparent, payload)
        SELECT shard, taken.first + nth, id, version, event, at, (at AT TIME ZONE 'UTC')::date, traceparent, payload
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
        FROM unnest($22::uuid[], $23::text[], $24::bytea[], $25::text[], $26::text[], $27::timestamptz[])
             AS kept (caller, key, fingerprint, document, smartcard, at)
        ORDER BY caller, key
        RETURNING 1
    ), ",
    "WHERE (SELECT count(*) FROM keyed) >= 0"
);

/// Writes a batch of new requests without keys. Empty CTEs still cost: the full statement makes a lone create 25-50 % slower.
const WRITE_NEW: &str = write_statement!("", "", "");

/// Carries out a batch; see [`crate::store::Store::commit`].
pub(super) async fn commit(store: &Postgres, batch: &[Command]) -> Result<Vec<Reply>, StoreError> {
    let is_new = |command: &Command| matches!(command.action, Action::Create(_));
    if batch.iter().all(is_new) && touched_by_batch(batch, &HashMap::new()).is_empty() {
        let plan = Plan::of(batch, Found::default(), store.topology);
        // A creation that is refused here may have been answered under its key, when something else was in force.
        if !plan.refuses_under_key(batch) {
            // A key that was used before is met as a duplicate, and the batch is then carried out with a look at the keys.
            match create(store, plan).await {
                Err(StoreError::Refused(error)) if met_another(&error) => {}
                result => return result,
            }
        }
    }
    let mut batch = batch;
    loop {
        match until_alone(|| read_and_write(store, batch)).await {
            Err(StoreError::TooLargeTogether { fits }) => batch = &batch[..fits],
            result => return result,
        }
    }
}

/// Tries a transaction again that met another one; what came first can be seen then.
pub(super) async fn until_alone<T, F>(transaction: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut attempt = 1;
    loop {
        match transaction().await {
            Err(StoreError::Refused(error)) if attempt < ATTEMPTS && met_another(&error) => attempt += 1,
            result => return result,
        }
    }
}

/// Unique violation (what the winner wrote is visible now), serialization failure, deadlock.
fn met_another(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let on_new = error.constraint().is_some_and(|name| CONTESTED.contains(&name));
        on_new || error.code().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
    })
}

/// Requests that come to be and are about nothing known have nothing to look at, so one statement is the whole transaction.
async fn create(store: &Postgres, plan: Plan) -> Result<Vec<Reply>, StoreError> {
    if plan.changes.is_empty() {
        return Ok(plan.replies(Vec::new()));
    }
    let mut line = store.write_lines.take().await?;
    let written = write(&mut line, &plan).await;
    let first = line.finish(written.map_err(unless_undone))?;
    let events = plan.events(&first);
    Ok(plan.replies(events))
}

/// See [`after_commit`]: the statement commits by itself.
fn unless_undone(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(error)
        | StoreError::Busy(error)
        | StoreError::Denied(error)
        | StoreError::Refused(error) => after_commit(error),
        error => error,
    }
}

async fn read_and_write(store: &Postgres, batch: &[Command]) -> Result<Vec<Reply>, StoreError> {
    let mut line = store.write_lines.take().await?;
    let mut tx = line.begin().await?;
    match plan_and_write(&mut tx, batch, store.topology).await {
        Ok((plan, Some(first))) => {
            tx.commit().await.map_err(after_commit)?;
            line.give_back();
            let events = plan.events(&first);
            Ok(plan.replies(events))
        }
        Ok((plan, None)) => {
            tx.rollback().await?;
            line.give_back();
            Ok(plan.replies(Vec::new()))
        }
        Err(error) => {
            if roll_back(tx, &error).await {
                line.give_back();
            }
            Err(error)
        }
    }
}

/// Writes what a batch needs; gives the first positions in each shard, if anything was written.
async fn plan_and_write(
    tx: &mut PgConnection,
    batch: &[Command],
    topology: Topology,
) -> Result<(Plan, Option<HashMap<Shard, Position>>), StoreError> {
    let requests = lock_requests(tx, batch).await?;
    let subjects = subject::lock(tx, &touched_by_batch(batch, &requests)).await?;
    let found = Found { requests, subjects, keys: find_keys(tx, batch).await? };
    let plan = Plan::of(batch, found, topology);
    if plan.is_empty() {
        return Ok((plan, None));
    }
    subject::write(tx, &plan.subjects).await?;
    let first = write(tx, &plan).await?;
    Ok((plan, Some(first)))
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
    let mut rows = sqlx::query(LOCK_REQUESTS).bind(ids).fetch(tx);
    let (mut found, mut bytes) = (HashMap::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let id: Uuid = row.try_get(0)?;
        let document: &str = row.try_get(1)?;
        bytes += document.len();
        if bytes > FOUND_BYTES && !found.is_empty() {
            let is_found = |command: &&Command| {
                matches!(command.action, Action::Create(_)) || found.contains_key(&command.request)
            };
            return Err(StoreError::TooLargeTogether { fits: batch.iter().take_while(is_found).count().max(1) });
        }
        found.insert(RequestId::new(id), document::read("request", id, document)?);
    }
    Ok(found)
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
    let mut rows = sqlx::query(FIND_KEYS).bind(callers).bind(keys).fetch(tx);
    let (mut found, mut bytes) = (HashMap::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let (caller, key): (Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
        bytes += row.try_get::<&str, _>(3)?.len();
        if bytes > FOUND_BYTES && !found.is_empty() {
            // Their order says nothing about that of the batch.
            return Err(StoreError::TooLargeTogether { fits: batch.len().div_ceil(2) });
        }
        let smartcard: Option<&str> = row.try_get(4)?;
        let smartcard = smartcard.map(|text| document::read("idempotency_key", format_args!("{caller}/{key}"), text));
        let reply = StoredReply {
            fingerprint: row.try_get(2)?,
            request: document::read("idempotency_key", format_args!("{caller}/{key}"), row.try_get(3)?)?,
            smartcard: smartcard.transpose()?,
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

/// Writes what a plan says, and tells the first position that it took in each shard.
async fn write(connection: &mut PgConnection, plan: &Plan) -> Result<HashMap<Shard, Position>, StoreError> {
    let demand = plan.demand();
    let documents: Result<Vec<String>, StoreError> =
        plan.changes.iter().map(|change| document::write("request", change.request.id, &*change.request)).collect();
    let documents = documents?;
    let smartcard = |change: &Change| smartcard_document(change.smartcard.as_ref());
    let smartcards: Vec<Option<String>> = plan.changes.iter().map(smartcard).collect::<Result<_, _>>()?;
    let is_large = documents.iter().map(String::len).sum::<usize>() > KEPT_BUFFER_BYTES;
    let is_plain = plan.kept.is_empty() && plan.changes.iter().all(|change| change.is_new && change.key.is_none());
    let statement = sqlx::query(if is_plain { WRITE_NEW } else { WRITE })
        .bind(column(plan, |change| change.request.id.uuid()))
        .bind(column(plan, |change| change.is_new))
        .bind(column(plan, |change| change.request.version.get().cast_signed()))
        .bind(column(plan, |change| status_number(change.request.status())))
        .bind(column(plan, |change| kind_number(change.request.kind)))
        .bind(column(plan, |change| change.request.target.uuid()))
        .bind(column(plan, |change| change.request.originator.uuid()))
        .bind(column(plan, |change| change.request.template.id.uuid()))
        .bind(column(plan, |change| change.event.at.utc()))
        .bind(documents)
        .bind(column(plan, |change| shard_number(change.shard)))
        .bind(plan.ranks().into_iter().map(u64::cast_signed).collect::<Vec<_>>())
        .bind(column(plan, |change| event_number(change.event.event_type)))
        .bind(column(plan, |change| change.event.traceparent.as_deref()))
        .bind(column(plan, |change| &change.payload[..]))
        .bind(column(plan, |change| change.key.as_ref().map(|idempotent| idempotent.key.user.uuid())))
        .bind(column(plan, |change| change.key.as_ref().map(|idempotent| idempotent.key.as_str())))
        .bind(column(plan, |change| change.key.as_ref().map(|idempotent| idempotent.fingerprint.as_slice())))
        .bind(smartcards)
        .bind(demand.keys().map(|shard| shard_number(*shard)).collect::<Vec<_>>())
        .bind(demand.values().map(|events| events.cast_signed()).collect::<Vec<_>>());
    let statement = if is_plain { statement } else { bind_kept(statement, &plan.kept)? };
    let rows = statement.fetch_all(&mut *connection).await?;
    if is_large {
        connection.shrink_buffers();
    }
    if rows.len() < demand.len() {
        // The function has a row for each shard or fails; whatever this is, the statement may have committed by itself.
        return Err(StoreError::OutcomeUnknown(sqlx::Error::RowNotFound));
    }
    let read = |row: &sqlx::postgres::PgRow| {
        let (shard, first): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok((Shard::new(shard.cast_unsigned()), Position::new(first.cast_unsigned())))
    };
    rows.iter().map(read).collect()
}

/// Binds the replies that are kept without a change.
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

fn smartcard_document(smartcard: Option<&Subject>) -> Result<Option<String>, StoreError> {
    smartcard.map(|card| document::write("idempotency_key", card.id(), card)).transpose()
}

fn column<'a, T>(plan: &'a Plan, value: impl Fn(&'a Change) -> T) -> Vec<T> {
    plan.changes.iter().map(value).collect()
}

/// Shards are at most 1,024, so their numbers fit a smallint.
pub(super) const fn shard_number(shard: Shard) -> i16 {
    shard.number().cast_signed()
}
