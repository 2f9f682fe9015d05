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
use super::privileges::{FUNCTION, PRIVILEGES};
use super::schema::{schema, stored_topology};
use super::{Postgres, PostgresSettings, StoreError, Topology, publishing, topic};
use crate::domain::{Timestamp, UserStatus};
use crate::runtime::server_time::ServerTime;
use crate::store::document::user_status_number;
use crate::store::inspection::{self, Inspection, Rights, SchemaState, UserCounts};

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
        publishing: None,
        clock: Some(clock),
        users: None,
        connections: Some((connections_left(&mut connection).await?, connections_needed(settings))),
    };
    if inspection.schema == SchemaState::Current && inspection.rights.denied.is_empty() {
        inspection.unfit.extend(topology_problem(&mut connection, settings.topology).await?);
        inspection.topic = topic::read(&mut connection).await?;
        inspection.publishing = publishing::read(&mut connection).await?;
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

async fn rights(connection: &mut PgConnection) -> Result<Rights, StoreError> {
    let denied = "SELECT DISTINCT relname::text FROM pg_catalog.pg_class
                  JOIN unnest($1::text[], $2::text[]) AS needed (name, privilege) ON relname = name
                  WHERE relnamespace = to_regnamespace(current_schema()) AND relkind IN ('r', 'p')
                    AND NOT has_table_privilege(oid, privilege)
                  ORDER BY relname";
    let needed = PRIVILEGES.iter().flat_map(|(table, privileges)| privileges.iter().map(|name| (*table, *name)));
    let (tables, privileges): (Vec<&str>, Vec<&str>) = needed.unzip();
    let denied: Vec<String> =
        sqlx::query_scalar(denied).bind(tables).bind(privileges).fetch_all(&mut *connection).await?;
    let may_migrate = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
                         AND coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class
                                       WHERE relnamespace = to_regnamespace(current_schema())
                                         AND relname = 'event_log'), true)";
    let may_migrate = sqlx::query_scalar(may_migrate).fetch_one(&mut *connection).await?;
    let may_partition = "SELECT coalesce(has_function_privilege(to_regprocedure($1), 'EXECUTE'), false)";
    let may_partition = sqlx::query_scalar(may_partition).bind(FUNCTION).fetch_one(connection).await?;
    Ok(Rights { denied, may_migrate, may_partition })
}

async fn topology_problem(connection: &mut PgConnection, wanted: Topology) -> Result<Option<String>, StoreError> {
    let stored = stored_topology(connection).await?;
    Ok(stored.and_then(|(shards, groups)| wanted.difference(shards, groups)))
}
