//! Maintenance: partitions for the coming days, expired idempotency keys, template versions, and checks whether writes work.

use chrono::{Days, NaiveDate};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::pool::ConnectionPool;
use crate::domain::{ProfileTemplate, Timestamp};
use crate::store::{OlderTemplate, StoreError, document};

/// Days ahead for which the log has its own partition. Events of other days, such as from a wrong clock, go to the default one.
const DAYS_AHEAD: u64 = 7;

/// Rows per DELETE, so that none holds its locks for long.
const DELETE_CHUNK: i64 = 5_000;

/// Key of the advisory lock for creating partitions ("cmgp").
const PARTITION_LOCK: i64 = 0x636d_6770;

/// Key of the advisory lock for adding versions of templates ("cmgt").
const TEMPLATE_LOCK: i64 = 0x636d_6774;

/// Creates missing partitions for the coming days. A failure does not stop the others.
pub(super) async fn add_partitions(pool: &ConnectionPool, now: Timestamp) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let mut outcome = Ok(());
    for ahead in 0..=DAYS_AHEAD {
        if let Some(day) = now.day().checked_add_days(Days::new(ahead)) {
            outcome = outcome.and(add_partition(&mut connection, day).await);
        }
    }
    if outcome.is_ok() {
        connection.release();
    }
    outcome
}

/// Attaching needs an exclusive lock on the default partition and gives up quickly behind a long reader of the log, such as a backup;
/// otherwise the relay would queue behind it.
async fn add_partition(connection: &mut PgConnection, day: NaiveDate) -> Result<(), StoreError> {
    let table = format!("event_log_{}", day.format("%Y%m%d"));
    if exists(connection, &table).await? {
        return Ok(());
    }
    // A day with events in the default partition stays there; Postgres would refuse to attach a partition for it.
    let has_begun = "SELECT EXISTS (SELECT FROM event_log_other WHERE day = $1)";
    if sqlx::query_scalar(has_begun).bind(day).fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let mut tx = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(PARTITION_LOCK).execute(&mut *tx).await?;
    if exists(&mut tx, &table).await? {
        tx.rollback().await?;
        return Ok(());
    }
    sqlx::query("SET LOCAL lock_timeout = '100ms'").execute(&mut *tx).await?;
    sqlx::query("SELECT add_log_partition($1)").bind(day).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a table exists now. Functions such as `to_regclass` use a cache that may not show yet what the last holder of the
/// advisory lock created.
async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class
               WHERE relname = $1 AND relnamespace = to_regnamespace(current_schema()))";
    Ok(sqlx::query_scalar(sql).bind(table).fetch_one(connection).await?)
}

/// Deletes idempotency keys used before a time, or before the same time by the server's clock if that is earlier: a process whose
/// clock runs ahead must not delete keys that others still need.
pub(super) async fn drop_keys(pool: &ConnectionPool, now: Timestamp, before: Timestamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM idempotency_key WHERE ctid IN
               (SELECT ctid FROM idempotency_key
                WHERE used_at < LEAST($1, clock_timestamp() - ($2::timestamptz - $1)) LIMIT $3 FOR UPDATE SKIP LOCKED)";
    let mut connection = pool.acquire().await?;
    loop {
        let dropped =
            sqlx::query(sql).bind(before.utc()).bind(now.utc()).bind(DELETE_CHUNK).execute(&mut *connection).await?;
        if dropped.rows_affected() < DELETE_CHUNK.unsigned_abs() {
            connection.release();
            return Ok(());
        }
    }
}

/// Fails if the server answers but does not accept writes, such as a standby.
pub(super) async fn check_writable(pool: &ConnectionPool) -> Result<(), StoreError> {
    match pool.fetch_all(sqlx::query(WHETHER_READ_ONLY)).await?.first().map(read_only).transpose()?.flatten() {
        Some(why) => Err(StoreError::ReadOnly(why.to_owned())),
        None => Ok(()),
    }
}

/// Why the server does not accept writes of a session with the defaults of the role and the database.
pub(super) async fn why_read_only(connection: &mut PgConnection) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(WHETHER_READ_ONLY).fetch_one(connection).await?;
    Ok(read_only(&row)?.map(str::to_owned))
}

const WHETHER_READ_ONLY: &str = "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean";

fn read_only(row: &PgRow) -> Result<Option<&'static str>, StoreError> {
    let (is_standby, is_read_only) = (row.try_get(0)?, row.try_get(1)?);
    Ok(match (is_standby, is_read_only) {
        (true, _) => Some("the server is a standby"),
        (false, true) => Some("default_transaction_read_only is on"),
        (false, false) => None,
    })
}

/// Executes a no-op write.
pub(super) async fn probe(pool: &ConnectionPool) -> Result<(), StoreError> {
    pool.execute(sqlx::query("UPDATE topology SET shards = shards")).await?;
    Ok(())
}

/// See [`crate::store::Store::put_template`].
pub(super) async fn put_template(
    pool: &ConnectionPool,
    template: &ProfileTemplate,
    older: OlderTemplate,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let id = template.id.uuid();
    let document = document::write("profile_template", id, template)?;
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    // Processes that start together would otherwise both add the same version. A lock on the table would need the right to change
    // versions, which the service never does.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *tx).await?;
    let (newest, equal): (i32, Option<i32>) = sqlx::query_as(
        "SELECT coalesce(max(version), 0), max(version) FILTER (WHERE document = $2::jsonb)
         FROM profile_template WHERE id = $1",
    )
    .bind(id)
    .bind(&document)
    .fetch_one(&mut *tx)
    .await?;
    if let Some(version) = older.kept(&newest, equal) {
        tx.rollback().await?;
        connection.release();
        return Ok(version.cast_unsigned());
    }
    let version = newest + 1;
    sqlx::query("INSERT INTO profile_template (id, version, document, created_at) VALUES ($1, $2, $3::jsonb, $4)")
        .bind(id)
        .bind(version)
        .bind(&document)
        .bind(now.utc())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    connection.release();
    Ok(version.cast_unsigned())
}
