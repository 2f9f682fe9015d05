//! Opening a Postgres database: connect, migrate, and refuse a server that could lose acknowledged writes.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::connection_budget::warn_if_scarce;
use super::pool::{ConnectionPool, connect};
use super::schema::{schema, stored_topology};
use super::{Postgres, PostgresSettings, StoreError, Topology, WriteHealth, privileges};
use crate::store::inspection::SchemaState;
use crate::store::migrations::{self, SchemaUpdate};

/// Overrides a default of the database or role: at a stricter isolation level, concurrent batches would fail instead of waiting
/// for each other.
const ISOLATION: (&str, &str) = ("default_transaction_isolation", "read committed");

/// TCP settings with which the server detects a silently lost process within half a minute.
const KEEPALIVES: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "25000"),
];

/// A process that stops mid-transaction keeps the log ends of its shards locked, which blocks every other writer.
const IDLE_IN_TRANSACTION: (&str, &str) = ("idle_in_transaction_session_timeout", "5s");

/// A batch finds every row by its key, and its statements are planned once per connection. With the statistics of a new table,
/// the planner would otherwise choose full scans for the life of the connection.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// After this time no caller can still be waiting for a read.
const READ_TIMEOUT: (&str, &str) = ("statement_timeout", "60s");

/// Imports and maintenance give up on a lock rather than wait for its holder.
const IMPORT_LIMITS: [(&str, &str); 2] = [("lock_timeout", "3s"), ("statement_timeout", "30s")];
const UPKEEP_LIMITS: [(&str, &str); 2] = [("lock_timeout", "5s"), ("statement_timeout", "300s")];

/// A batch that times out waiting for a lock has changed nothing, so its callers get a definite answer. The timeout is longer
/// than a stopped process holds its locks, and shorter than the writer waits for a commit, after which the outcome is unknown.
const WRITE_LOCK_TIMEOUT: (&str, &str) = ("lock_timeout", "8s");

/// Connections for imports and for maintenance.
const IMPORT_CONNECTIONS: u32 = 2;
const UPKEEP_CONNECTIONS: u32 = 2;

/// How long a start waits for an unreachable server, and the pause between attempts.
const START_PATIENCE: Duration = Duration::from_secs(5);
const START_PAUSE: Duration = Duration::from_millis(100);

impl Postgres {
    /// Connects, migrates the schema and checks that the server does not lose acknowledged commits.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] if the server is too old, may lose acknowledged commits, or has a newer schema, another topology or
    /// another encoding; otherwise the error of the failed step.
    pub async fn connect(settings: &PostgresSettings) -> Result<Self, StoreError> {
        Self::connect_with(settings, SchemaUpdate::Migrate).await
    }

    /// Like [`Self::connect`]; `update` says what to do if the schema is not up to date.
    ///
    /// # Errors
    /// Those of [`Self::connect`], and [`StoreError::Unfit`] if the schema must be up to date and is not.
    pub async fn connect_with(settings: &PostgresSettings, update: SchemaUpdate) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(&settings.url).map_err(StoreError::from);
        let options = options.map_err(|error| error.while_opening(|| "the database".to_owned()))?;
        let options = options.application_name("cmgate").options(KEEPALIVES).options([ISOLATION]);
        prepare(&options, settings, update).await.map_err(|error| error.while_opening(|| target(&options)))?;
        let by_key = options.clone().options(PLANS);
        let in_transactions = options.clone().options([IDLE_IN_TRANSACTION]);
        let write = by_key.clone().options([IDLE_IN_TRANSACTION, WRITE_LOCK_TIMEOUT]);
        let import = in_transactions.clone().options(IMPORT_LIMITS);
        let upkeep = in_transactions.clone().options(UPKEEP_LIMITS);
        let list = options.clone().options([READ_TIMEOUT]);
        Ok(Self {
            write_pool: Arc::new(ConnectionPool::new("write", write)),
            read_pool: Arc::new(ConnectionPool::new("read", by_key.options([READ_TIMEOUT]))),
            relay_pool: Arc::new(ConnectionPool::at_most(settings.relay_connections, "relay", in_transactions)),
            import_pool: Arc::new(ConnectionPool::at_most(IMPORT_CONNECTIONS, "import", import)),
            upkeep_pool: Arc::new(ConnectionPool::at_most(UPKEEP_CONNECTIONS, "upkeep", upkeep)),
            list_pool: Arc::new(ConnectionPool::at_most(settings.max_connections, "list", list)),
            options,
            topology: settings.topology,
            candidates: Arc::default(),
            day_hints: Arc::default(),
            health: Arc::new(WriteHealth::with_row_locks()),
        })
    }

    /// The statements that give a role the privileges to serve without those to migrate.
    #[must_use]
    pub fn grants(role: &str) -> String {
        privileges::grants(role)
    }
}

/// Checks the server, migrates the schema and inserts the initial rows. The migrator holds an advisory lock, so that concurrent
/// starts do not interfere.
async fn prepare(
    options: &PgConnectOptions,
    settings: &PostgresSettings,
    update: SchemaUpdate,
) -> Result<(), StoreError> {
    let mut connection = first_connection(options).await?;
    check_server(&mut connection).await?;
    let found = schema(&mut connection).await?;
    match update {
        // Even a migrator without work would need the right to create tables.
        SchemaUpdate::Migrate if found == SchemaState::Current => {}
        SchemaUpdate::Migrate => migrations::POSTGRES.run_direct(None, &mut connection, false).await?,
        SchemaUpdate::Refuse => found.require_current()?,
    }
    agree_on_topology(&mut connection, settings.topology).await?;
    warn_if_scarce(settings, &mut connection).await?;
    // Everything is committed, however the connection ends.
    let _ = connection.close().await;
    Ok(())
}

/// Opens the first connection, and waits for a server that is still starting.
async fn first_connection(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let patience = Instant::now() + START_PATIENCE;
    loop {
        match connect(options).await.map_err(StoreError::from) {
            Err(StoreError::Unavailable(_)) if Instant::now() < patience => tokio::time::sleep(START_PAUSE).await,
            connected => return connected,
        }
    }
}

impl PostgresSettings {
    /// The database for logs: kind, name, address and user, without the password.
    #[must_use]
    pub fn target(&self) -> String {
        let options = PgConnectOptions::from_str(&self.url);
        options.map_or_else(|_| "Postgres".to_owned(), |options| format!("Postgres {}", target(&options)))
    }
}

/// The database for error messages: name, address and user.
pub(super) fn target(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    match options.get_socket() {
        Some(socket) => format!("database {database} at {} as user {user}", socket.display()),
        None => format!("database {database} at {}:{} as user {user}", options.get_host(), options.get_port()),
    }
}

pub(super) async fn check_server(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut show = async |setting: &'static str| -> Result<String, StoreError> {
        let show = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        Ok(show.fetch_one(&mut *connection).await?)
    };
    let version = show("server_version_num").await?;
    if version.parse::<u32>().is_ok_and(|number| number < 150_000) {
        return Err(StoreError::Unfit(format!("Postgres 15 or newer is needed; the server is {version}")));
    }
    // With a weaker setting, the relay could publish an event whose request is lost when the server crashes.
    let synchronous_commit = show("synchronous_commit").await?;
    if !matches!(synchronous_commit.as_str(), "on" | "remote_apply") {
        return Err(StoreError::Unfit(format!(
            "synchronous_commit must be on or remote_apply for this role and database; it is {synchronous_commit}"
        )));
    }
    let fsync = show("fsync").await?;
    if fsync != "on" {
        return Err(StoreError::Unfit(format!("fsync must be on; it is {fsync}")));
    }
    let encoding = show("server_encoding").await?;
    if encoding != "UTF8" {
        return Err(StoreError::Unfit(format!("the encoding of the database must be UTF8; it is {encoding}")));
    }
    Ok(())
}

async fn agree_on_topology(connection: &mut PgConnection, wanted: Topology) -> Result<(), StoreError> {
    // Once it is there, nothing is inserted, which a role may have no right to.
    if let Some((shards, groups)) = stored_topology(connection).await? {
        return wanted.check_stored(shards, groups);
    }
    let (shards, groups) = (i32::from(wanted.shards.get()), i32::from(wanted.partition_groups));
    let mut tx = connection.begin().await?;
    sqlx::query("INSERT INTO topology (shards, partition_groups) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(shards)
        .bind(groups)
        .execute(&mut *tx)
        .await?;
    let stored: (i32, i32) =
        sqlx::query_as("SELECT shards, partition_groups FROM topology").fetch_one(&mut *tx).await?;
    wanted.check_stored(stored.0, stored.1)?;
    for table in ["event_head", "relay_checkpoint"] {
        let sql = format!("INSERT INTO {table} (shard) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(shards).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
