//! Inspection of a SQLite file without changing or creating it.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::connect::{file_error, schema, target};
use super::{Sqlite, SqliteSettings, StoreError, Topology, publishing, topic};
use crate::domain::UserStatus;
use crate::store::document::user_status_number;
use crate::store::inspection::{COUNT_USERS, Inspection, Rights, SchemaState, UserCounts};

/// Maximum wait for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

impl Sqlite {
    /// Inspects a file. A file that does not exist has no schema yet.
    ///
    /// # Errors
    /// The file cannot be opened, or is not a database.
    pub async fn inspect(settings: &SqliteSettings) -> Result<Inspection, StoreError> {
        let path = &settings.path;
        let inspection = Inspection {
            target: target(path),
            server: "SQLite".to_owned(),
            encoding: "UTF-8".to_owned(),
            isolation: None,
            unfit: Vec::new(),
            read_only: None,
            schema: SchemaState::Missing,
            rights: Rights::all(),
            topic: None,
            publishing: None,
            clock: None,
            users: None,
            connections: None,
        };
        // Opening it for writing changes nothing.
        match File::options().read(true).write(true).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(inspection),
            opened => opened.map(drop).map_err(|source| file_error(path, source))?,
        }
        inspect(settings, inspection).await.map_err(|error| error.while_opening(|| target(path)))
    }
}

async fn inspect(settings: &SqliteSettings, mut inspection: Inspection) -> Result<Inspection, StoreError> {
    // A connection to a database in WAL mode creates the files beside it, unless there is nothing in them to read.
    let has_log = wal(&settings.path).exists();
    let options = SqliteConnectOptions::new()
        .filename(&settings.path)
        .read_only(true)
        .immutable(!has_log)
        .busy_timeout(BUSY_TIMEOUT);
    let mut connection = options.connect().await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await?;
    inspection.server = format!("SQLite {version}");
    inspection.schema = schema(&mut connection).await?;
    if inspection.schema == SchemaState::Current {
        inspection.unfit.extend(topology_problem(&mut connection, settings.topology).await?);
        inspection.topic = topic::get(&mut connection).await?;
        inspection.publishing = publishing::get(&mut connection).await?;
        let counted = sqlx::query_as(COUNT_USERS).bind(user_status_number(UserStatus::Inactive));
        inspection.users = Some(UserCounts::of(counted.fetch_one(&mut connection).await?));
    }
    let _ = connection.close().await;
    Ok(inspection)
}

/// The write-ahead log beside a database.
pub(super) fn wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

async fn topology_problem(connection: &mut SqliteConnection, wanted: Topology) -> Result<Option<String>, StoreError> {
    let stored: Option<(i32, i32)> =
        sqlx::query_as("SELECT shards, partition_groups FROM topology").fetch_optional(connection).await?;
    Ok(stored.and_then(|(shards, groups)| wanted.difference(shards, groups)))
}
