//! Errors of a store, classified by their consequence for the caller.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use thiserror::Error;

/// An error of a store. `Display` omits the source; logging walks the chain.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database cannot be reached or has no space left. Nothing has changed.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// A wait for a lock or a connection timed out. Nothing has changed.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// The database refused the login, or the role lacks a privilege. Nothing has changed.
    #[error("the database denied access")]
    Denied(#[source] sqlx::Error),
    /// The database answers but does not accept writes.
    #[error("the database does not accept writes: {0}")]
    ReadOnly(String),
    /// The database could not be opened.
    #[error("cannot open {target}")]
    Open {
        /// The database, with its address and user, or the file.
        target: String,
        /// Who can fix it.
        fault: OpenFault,
        /// What went wrong.
        #[source]
        source: sqlx::Error,
    },
    /// The connection was lost during a commit; the transaction may or may not have taken effect.
    #[error("the connection was lost during a commit; its outcome is not known")]
    OutcomeUnknown(#[source] sqlx::Error),
    /// The database did not answer in time. A write may have taken effect.
    #[error("the database did not answer within {0:?}")]
    NoAnswer(Duration),
    /// The database refused a statement. Nothing has changed.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// The rows of a batch together are too large. Nothing has changed; retry with the first `fits` members.
    #[error("only {fits} commands of a batch fit one transaction")]
    TooLargeTogether {
        /// At least one.
        fits: usize,
    },
    /// A stored row is invalid.
    #[error("table {table} holds an invalid row: {row}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Which row.
        row: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database is unsuitable for this process.
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

/// Why a database could not be opened, by who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFault {
    /// The configured target does not exist or is not a database.
    Configuration,
    /// The credentials or privileges do not suffice.
    Rights,
    /// The database cannot be reached at the moment.
    Unavailable,
}

impl StoreError {
    /// Whether a later attempt may succeed: the database is unavailable rather than wrong.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Busy(_)
            | Self::Denied(_)
            | Self::ReadOnly(_)
            | Self::OutcomeUnknown(_)
            | Self::NoAnswer(_) => true,
            Self::Open { fault, .. } => matches!(fault, OpenFault::Unavailable),
            Self::Refused(_)
            | Self::TooLargeTogether { .. }
            | Self::Corrupt { .. }
            | Self::Unfit(_)
            | Self::Migration(_)
            | Self::File { .. } => false,
        }
    }

    /// The same error if it occurred while a database was opened; `target` names the database.
    pub(super) fn while_opening(self, target: impl FnOnce() -> String) -> Self {
        let (fault, source) = match self {
            Self::Unavailable(source) | Self::Busy(source) => (OpenFault::Unavailable, source),
            Self::Denied(source) => (OpenFault::Rights, source),
            Self::Refused(source) if names_no_database(&source) => (OpenFault::Configuration, source),
            other => return other,
        };
        Self::Open { target: target(), fault, source }
    }

    /// The error for an invalid row.
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
        let condition = match &error {
            sqlx::Error::Database(database) => database.code().and_then(|code| Condition::of(&code)),
            sqlx::Error::PoolTimedOut => Some(Condition::Busy),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Some(Condition::Unavailable),
            _ => None,
        };
        match condition {
            Some(Condition::Unavailable) => Self::Unavailable(error),
            Some(Condition::Busy) => Self::Busy(error),
            Some(Condition::Denied) => Self::Denied(error),
            None => Self::Refused(error),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Unfit(format!(
                "the schema of the database is newer than this program: it has migration {version}"
            )),
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
                if Condition::of_error(&source).is_some() =>
            {
                source.into()
            }
            other => Self::Migration(other),
        }
    }
}

/// The condition behind a database's error code, where it is more than a refused statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Unavailable,
    Busy,
    Denied,
}

impl Condition {
    /// SQLSTATE: classes 08 connection, 53 resources, 57 shutdown and time limits, 58 system, and 25006 (a standby that cannot
    /// write) and 25P03 (this process was idle in a transaction for too long) are unavailable; 55P03, a lock timeout, is busy;
    /// class 28 and 42501 are denied.
    /// SQLite, with its extended codes in the upper bytes: 10 I/O, 13 full and 14 cannot open are unavailable; 5 busy and
    /// 6 locked are busy; 3 permission, 8 read-only and 23 authorization are denied.
    fn of(code: &str) -> Option<Self> {
        match code.parse::<u32>() {
            Ok(sqlite) if code.len() < 5 => match sqlite & 0xff {
                10 | 13 | 14 => Some(Self::Unavailable),
                5 | 6 => Some(Self::Busy),
                3 | 8 | 23 => Some(Self::Denied),
                _ => None,
            },
            _ => {
                let is_any = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
                if is_any(&["08", "53", "57", "58", "25006", "25P03"]) {
                    Some(Self::Unavailable)
                } else if is_any(&["55P03"]) {
                    Some(Self::Busy)
                } else if is_any(&["28", "42501"]) {
                    Some(Self::Denied)
                } else {
                    None
                }
            }
        }
    }

    fn of_error(error: &sqlx::Error) -> Option<Self> {
        error.as_database_error().and_then(|error| Self::of(&error.code()?))
    }
}

/// Whether the configured target is not a database: SQLSTATE 3D000, SQLite's 26, or an invalid URL.
fn names_no_database(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Configuration(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| matches!(&*code, "3D000" | "26")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_code_has_its_condition() {
        use Condition::{Busy, Denied, Unavailable};
        for (codes, condition) in [
            (
                &["08006", "53100", "53300", "57P01", "57P03", "58030", "25006", "25P03", "13", "10", "778", "14"][..],
                Some(Unavailable),
            ),
            (&["55P03", "5", "517", "6", "262"], Some(Busy)),
            (&["28P01", "28000", "42501", "8", "1032", "3", "23"], Some(Denied)),
            (&["23505", "22021", "40001", "42P01", "3D000", "1", "19", "26"], None),
        ] {
            for code in codes {
                assert_eq!(Condition::of(code), condition, "{code}");
            }
        }
    }
}
