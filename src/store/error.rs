//! What can go wrong with a database, told apart by what it means for the caller.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use thiserror::Error;

/// A failure of the store. `Display` leaves out the source; a log walks the chain.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database cannot be reached, or has no room. Nothing has changed.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// The connection was lost while a transaction was being committed: it took effect, or it did not.
    #[error("the connection was lost during a commit; its outcome is not known")]
    OutcomeUnknown(#[source] sqlx::Error),
    /// The database did not answer in time. A write may have taken effect.
    #[error("the database did not answer within {0:?}")]
    NoAnswer(Duration),
    /// The database refused a statement. Nothing has changed.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// A stored row cannot be right.
    #[error("table {table} holds a row that cannot be right: {row}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Which row.
        row: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database is not one that this process may serve.
    #[error("{0}")]
    Unfit(String),
    /// The schema could not be brought up to date.
    #[error("the schema could not be migrated")]
    Migration(#[source] MigrateError),
    /// A file beside the database could not be used.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl StoreError {
    /// Whether waiting may help: the database is away, as opposed to wrong.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::OutcomeUnknown(_) | Self::NoAnswer(_) => true,
            Self::Refused(_) | Self::Corrupt { .. } | Self::Unfit(_) | Self::Migration(_) | Self::File { .. } => false,
        }
    }

    /// A row that cannot be right.
    pub(super) fn corrupt(
        table: &'static str,
        row: impl std::fmt::Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt { table, row: format!("{row}"), source: source.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let away = match &error {
            sqlx::Error::Database(database) => database.code().is_some_and(|code| is_away(&code)),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            _ => false,
        };
        if away { Self::Unavailable(error) } else { Self::Refused(error) }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Unfit(format!(
                "the schema of the database is newer than this program: it has migration {version}"
            )),
            other => Self::Migration(other),
        }
    }
}

/// SQLSTATE classes 08 connection, 53 resources, 57 shutdown and time limits, 58 system; 25006: a standby that cannot
/// write; 25P03: this process was silent in mid-transaction for too long.
/// SQLite: 5 busy, 6 locked, 10 I/O, 13 full, 14 cannot open (with their extended codes in the upper bytes).
fn is_away(code: &str) -> bool {
    match code.parse::<u32>() {
        Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 6 | 10 | 13 | 14),
        _ => ["08", "53", "57", "58", "25006", "25P03"].iter().any(|class| code.starts_with(class)),
    }
}
