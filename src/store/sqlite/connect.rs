//! Opening a SQLite database: create the file, migrate, and refuse another schema or topology.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::writer::Writer;
use super::{Sqlite, StoreError, Topology, WriteHealth};
use crate::store::inspection::{Applied, SchemaState};
use crate::store::migrations::{self, SchemaUpdate};

/// Maximum wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a start waits for other processes that open the file, and the pause between attempts. While the journal mode of a new
/// file changes, SQLite refuses others without the wait above.
const START_PATIENCE: Duration = Duration::from_secs(30);
const START_PAUSE: Duration = Duration::from_millis(20);

/// Rows that a connection buffers ahead of its reader. A row can have megabytes.
const ROWS_AHEAD: usize = 2;

/// Connections that read.
const READERS: u32 = 4;

/// Where a SQLite database is.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The file; it is created, with its directory, if it does not exist.
    pub path: PathBuf,
    /// How the log is divided; stored if the database is new.
    pub topology: Topology,
}

impl SqliteSettings {
    /// The file for logs and errors.
    #[must_use]
    pub fn target(&self) -> String {
        target(&self.path)
    }
}

impl Sqlite {
    /// Opens the file and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] if the file has a newer schema or another topology; otherwise the error of the failed step.
    pub async fn open(settings: &SqliteSettings) -> Result<Self, StoreError> {
        Self::open_with(settings, SchemaUpdate::Migrate).await
    }

    /// Like [`Self::open`]; `update` says what to do if the schema is not up to date.
    ///
    /// # Errors
    /// Those of [`Self::open`], and [`StoreError::Unfit`] if the schema must be up to date and is not.
    pub async fn open_with(settings: &SqliteSettings, update: SchemaUpdate) -> Result<Self, StoreError> {
        let path = &settings.path;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|source| file_error(directory, source))?;
        }
        let patience = Instant::now() + START_PATIENCE;
        loop {
            match try_open(settings, update).await {
                Err(StoreError::Busy(_)) if Instant::now() < patience => tokio::time::sleep(START_PAUSE).await,
                Err(StoreError::Unavailable(error)) => {
                    let unavailable = StoreError::Unavailable(error);
                    return Err(inaccessible(path).unwrap_or_else(|| unavailable.while_opening(|| target(path))));
                }
                result => return result.map_err(|error| error.while_opening(|| target(path))),
            }
        }
    }
}

async fn try_open(settings: &SqliteSettings, update: SchemaUpdate) -> Result<Sqlite, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(&settings.path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD);
    let mut connection = options.connect().await?;
    prepare(&mut connection, settings.topology, update).await?;
    let readers = options.clone().read_only(true);
    let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(readers).await?;
    Ok(Sqlite {
        path: settings.path.clone(),
        writer: Arc::new(Writer::new(options, connection)),
        readers,
        topology: settings.topology,
        health: Arc::new(WriteHealth::with_one_lock()),
    })
}

/// Migrates the schema and inserts the initial rows in one transaction, so that of concurrent starts one does it and the others
/// wait.
async fn prepare(
    connection: &mut SqliteConnection,
    topology: Topology,
    update: SchemaUpdate,
) -> Result<(), StoreError> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    match update {
        SchemaUpdate::Migrate => migrations::SQLITE.run_direct(None, &mut *tx, false).await?,
        SchemaUpdate::Refuse => schema(&mut tx).await?.require_current()?,
    }
    agree_on_topology(&mut tx, topology).await?;
    tx.commit().await?;
    Ok(())
}

async fn agree_on_topology(tx: &mut SqliteConnection, wanted: Topology) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO topology (only_row, shards, partition_groups) VALUES (1, ?, ?) ON CONFLICT DO NOTHING")
        .bind(wanted.shards.get())
        .bind(wanted.partition_groups)
        .execute(&mut *tx)
        .await?;
    let stored: (i32, i32) =
        sqlx::query_as("SELECT shards, partition_groups FROM topology").fetch_one(&mut *tx).await?;
    wanted.check_stored(stored.0, stored.1)?;
    for shard in wanted.shards.shards() {
        for table in ["event_head", "relay_checkpoint"] {
            let sql = format!("INSERT INTO {table} (shard) VALUES (?) ON CONFLICT DO NOTHING");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(shard.number()).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

/// Compares the schema with the migrations of this program.
pub(super) async fn schema(connection: &mut SqliteConnection) -> Result<SchemaState, StoreError> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')";
    if !sqlx::query_scalar::<_, bool>(exists).fetch_one(&mut *connection).await? {
        return Ok(SchemaState::Missing);
    }
    let sql = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
    let applied: Vec<Applied> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(SchemaState::of(&migrations::SQLITE, &applied))
}

/// The system's error for a file that SQLite could not open; SQLite does not report it.
fn inaccessible(path: &Path) -> Option<StoreError> {
    let opened = File::options().read(true).append(true).create(true).open(path);
    opened.err().map(|source| file_error(path, source))
}

pub(super) fn file_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::File { path: path.display().to_string(), source }
}

/// The file for error messages.
pub(super) fn target(path: &Path) -> String {
    format!("the SQLite file {}", path.display())
}
