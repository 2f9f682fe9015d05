//! Opening a SQLite database: make the file, migrate, and refuse what does not fit.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Sqlite, StoreError, Topology};

/// The schema of this version of the program.
static MIGRATOR: Migrator = sqlx::migrate!("src/store/sqlite/migrations");

/// Longest wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that read.
const READERS: u32 = 4;

/// Where a SQLite database is.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The file; it is made, with its directory, if it does not exist.
    pub path: PathBuf,
    /// How the log is divided, or to be divided if the database is new.
    pub topology: Topology,
}

impl Sqlite {
    /// Opens the file and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] in plain words if the file has a newer schema or another topology; otherwise what went wrong on
    /// the way.
    pub async fn open(settings: &SqliteSettings) -> Result<Self, StoreError> {
        if let Some(directory) = settings.path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|source| StoreError::File { path: directory.display().to_string(), source })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&settings.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        MIGRATOR.run(&writer).await?;
        agree_on_topology(&writer, settings.topology).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { path: settings.path.clone(), writer, readers, topology: settings.topology })
    }
}

async fn agree_on_topology(pool: &SqlitePool, wanted: Topology) -> Result<(), StoreError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("INSERT INTO topology (only_row, shards, lanes) VALUES (1, ?, ?) ON CONFLICT DO NOTHING")
        .bind(wanted.shards.get())
        .bind(wanted.lanes)
        .execute(&mut *tx)
        .await?;
    let stored: (i32, i32) = sqlx::query_as("SELECT shards, lanes FROM topology").fetch_one(&mut *tx).await?;
    wanted.check_stored(stored.0, stored.1)?;
    for shard in wanted.shards.shards() {
        for table in ["event_head", "relay_checkpoint"] {
            let sql = format!("INSERT INTO {table} (shard) VALUES (?) ON CONFLICT DO NOTHING");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(shard.number()).execute(&mut *tx).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}
