//! Opening a Postgres database: connect, migrate, and refuse what could break the guarantee.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::lines::{Line, Lines};
use super::{Postgres, StoreError, Topology};

/// The schema of this version of the program.
static MIGRATOR: Migrator = sqlx::migrate!("src/store/postgres/migrations");

/// How the server learns that this process is gone although its host never said so: within half a minute.
const VITAL_SIGNS: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "25000"),
];

/// A process that stops in mid-transaction holds the heads of its shards, and with them every other writer.
const IDLE_IN_TRANSACTION: (&str, &str) = ("idle_in_transaction_session_timeout", "5s");

/// A batch finds every row by its key, and its statements are planned once. The statistics of a table that was just made
/// would otherwise have it read whole, for as long as a connection lives.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// A read that nobody can be waiting for any more.
const READ_TIMEOUT: (&str, &str) = ("statement_timeout", "60s");

/// How long a start waits for a server that cannot be reached, and between two attempts.
const START_PATIENCE: Duration = Duration::from_secs(5);
const START_PAUSE: Duration = Duration::from_millis(100);

/// How to reach a Postgres database.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// Most connections that read for callers.
    pub max_connections: u32,
    /// Most connections that serve the relay and the upkeep, so that reads can never hold up either; each relay lane takes
    /// one more for its lock, and each batch that is under way has one of its own.
    pub relay_connections: u32,
    /// How the log is divided, or to be divided if the database is new.
    pub topology: Topology,
}

impl Postgres {
    /// Connects, brings the schema up to date and checks that the database keeps what it acknowledges.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] in plain words if the server is too old, may lose acknowledged commits, has a newer schema or
    /// another topology; otherwise what went wrong on the way.
    pub async fn connect(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(&settings.url)?.application_name("cmgate").options(VITAL_SIGNS);
        let by_key = options.clone().options(PLANS);
        let write_lines = Arc::new(Lines::new(by_key.clone().options([IDLE_IN_TRANSACTION])));
        let read_lines = Arc::new(Lines::new(by_key.options([READ_TIMEOUT])));
        let relay_options = options.clone().options([IDLE_IN_TRANSACTION]);
        let relay_lines = Arc::new(Lines::at_most(settings.relay_connections, relay_options));
        let list_lines = Arc::new(Lines::at_most(settings.max_connections, options.clone().options([READ_TIMEOUT])));
        let mut first = first_of(&relay_lines).await?;
        check_server(&mut first).await?;
        // The migrator holds an advisory lock, so that processes that start together do not meet.
        MIGRATOR.run(&mut *first).await?;
        agree_on_topology(&mut first, settings.topology).await?;
        first.give_back();
        Ok(Self {
            write_lines,
            read_lines,
            relay_lines,
            list_lines,
            options,
            topology: settings.topology,
            candidates: Arc::default(),
            recent: Arc::default(),
        })
    }
}

/// The first connection. A server that is still starting is waited for.
async fn first_of(lines: &Lines) -> Result<Line<'_>, StoreError> {
    let patience = Instant::now() + START_PATIENCE;
    loop {
        match lines.take().await {
            Err(StoreError::Unavailable(_)) if Instant::now() < patience => tokio::time::sleep(START_PAUSE).await,
            taken => return taken,
        }
    }
}

async fn check_server(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut show = async |setting: &'static str| -> Result<String, StoreError> {
        let show = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        Ok(show.fetch_one(&mut *connection).await?)
    };
    let version = show("server_version_num").await?;
    if version.parse::<u32>().is_ok_and(|number| number < 150_000) {
        return Err(StoreError::Unfit(format!("Postgres 15 or newer is needed; the server is {version}")));
    }
    // With less, the relay could publish an event whose request is lost in a crash of the server.
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
    Ok(())
}

async fn agree_on_topology(connection: &mut PgConnection, wanted: Topology) -> Result<(), StoreError> {
    let (shards, lanes) = (i32::from(wanted.shards.get()), i32::from(wanted.lanes));
    let mut tx = connection.begin().await?;
    sqlx::query("INSERT INTO topology (shards, lanes) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(shards)
        .bind(lanes)
        .execute(&mut *tx)
        .await?;
    let stored: (i32, i32) = sqlx::query_as("SELECT shards, lanes FROM topology").fetch_one(&mut *tx).await?;
    wanted.check_stored(stored.0, stored.1)?;
    for table in ["event_head", "relay_checkpoint"] {
        let sql = format!("INSERT INTO {table} (shard) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(shards).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
