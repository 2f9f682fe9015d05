//! Inspection of a Postgres database in a session that cannot write.

use std::str::FromStr;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::connect::{check_server, target};
use super::connection_budget::{connections_left, connections_needed};
use super::maintain::why_read_only;
use super::pool::connect;
use super::topic;
use super::{Postgres, PostgresSettings, StoreError, Topology};
use crate::domain::{Timestamp, UserStatus};
use crate::runtime::server_time::ServerTime;
use crate::store::document::user_status_number;
use crate::store::inspection::{self, Applied, Inspection, Rights, SchemaState, UserCounts};
use crate::store::migrations;

/// The session cannot write, and no question waits for long.
const LIMITS: [(&str, &str); 3] =
    [("default_transaction_read_only", "on"), ("statement_timeout", "4s"), ("lock_timeout", "2s")];

impl Postgres {
    /// Inspects a database without changing it.
    ///
    /// # Errors
    /// The database cannot be reached, or refuses the login or a question.
    pub async fn inspect(settings: &PostgresSettings) -> Result<Inspection, StoreError> {
        let options = PgConnectOptions::from_str(&settings.url).map_err(StoreError::from);
        let options = options.map_err(|error| error.while_opening(|| "the database".to_owned()))?;
        let options = options.application_name("cmgate doctor");
        inspect(&options, settings).await.map_err(|error| error.while_opening(|| target(&options)))
    }
}

async fn inspect(options: &PgConnectOptions, settings: &PostgresSettings) -> Result<Inspection, StoreError> {
    // Asked of a session with the defaults of role and database, which the limits would hide.
    let mut plain = connect(options).await?;
    let read_only = why_read_only(&mut plain).await?;
    let isolation = show(&mut plain, "default_transaction_isolation").await?;
    let _ = plain.close().await;

    let mut connection = connect(&options.clone().options(LIMITS)).await?;
    let unfit = match check_server(&mut connection).await {
        Ok(()) => Vec::new(),
        Err(StoreError::Unfit(problem)) => vec![problem],
        Err(error) => return Err(error),
    };
    let asked = Instant::now();
    let time: DateTime<Utc> = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut connection).await?;
    let clock = ServerTime::read(Timestamp::new(time), Duration::ZERO, asked);
    let mut inspection = Inspection {
        target: target(options),
        server: format!("PostgreSQL {}", show(&mut connection, "server_version").await?),
        encoding: show(&mut connection, "server_encoding").await?,
        isolation: Some(isolation),
        unfit,
        read_only,
        schema: schema(&mut connection).await?,
        rights: rights(&mut connection).await?,
        topic: None,
        clock: Some(clock),
        users: None,
        connections: Some((connections_left(&mut connection).await?, connections_needed(settings))),
    };
    if inspection.schema == SchemaState::Current && inspection.rights.denied.is_empty() {
        inspection.unfit.extend(topology_problem(&mut connection, settings.topology).await?);
        inspection.topic = topic::read(&mut connection).await?;
        let counted = sqlx::query_as(inspection::COUNT_USERS).bind(user_status_number(UserStatus::Inactive));
        inspection.users = Some(UserCounts::of(counted.fetch_one(&mut connection).await?));
    }
    // Nothing is lost, however the connection ends.
    let _ = connection.close().await;
    Ok(inspection)
}

async fn show(connection: &mut PgConnection, setting: &'static str) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(connection).await?)
}

async fn schema(connection: &mut PgConnection) -> Result<SchemaState, StoreError> {
    let exists = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    if !sqlx::query_scalar(exists).fetch_one(&mut *connection).await? {
        return Ok(SchemaState::Missing);
    }
    let readable = "SELECT has_table_privilege('_sqlx_migrations', 'SELECT')";
    if !sqlx::query_scalar(readable).fetch_one(&mut *connection).await? {
        return Ok(SchemaState::Unreadable);
    }
    let sql = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
    let applied: Vec<Applied> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(SchemaState::of(&migrations::POSTGRES, &applied))
}

/// The service reads and writes every table, adds partitions to the log, and migrates the schema.
async fn rights(connection: &mut PgConnection) -> Result<Rights, StoreError> {
    let denied = "SELECT relname::text FROM pg_catalog.pg_class
                  WHERE relnamespace = to_regnamespace(current_schema()) AND relname = ANY($1) AND relkind IN ('r', 'p')
                    AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                             AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
                  ORDER BY relname";
    let tables = inspection::tables(&migrations::POSTGRES);
    let denied: Vec<String> = sqlx::query_scalar(denied).bind(tables).fetch_all(&mut *connection).await?;
    let may_migrate = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
                         AND coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class
                                       WHERE relnamespace = to_regnamespace(current_schema())
                                         AND relname = 'event_log'), true)";
    let may_migrate = sqlx::query_scalar(may_migrate).fetch_one(connection).await?;
    Ok(Rights { denied, may_migrate })
}

async fn topology_problem(connection: &mut PgConnection, wanted: Topology) -> Result<Option<String>, StoreError> {
    let stored: Option<(i32, i32)> =
        sqlx::query_as("SELECT shards, partition_groups FROM topology").fetch_optional(connection).await?;
    Ok(stored.and_then(|(shards, groups)| wanted.difference(shards, groups)))
}
