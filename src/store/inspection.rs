//! What an inspection finds in a database. It changes nothing: it neither creates a file nor migrates a schema.

use sqlx::migrate::Migrator;

use super::{Publishing, StoreError, TopicIdentity};
use crate::runtime::server_time::ServerTime;

/// The state of a database.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The database: name, address and user, or the file.
    pub target: String,
    /// The program and its version, such as `PostgreSQL 15.18`.
    pub server: String,
    /// Encoding of texts.
    pub encoding: String,
    /// Default isolation level of the role and database, where there are several.
    pub isolation: Option<String>,
    /// Why the server or the database is unsuitable.
    pub unfit: Vec<String>,
    /// Why the database does not accept writes.
    pub read_only: Option<String>,
    /// The state of the schema.
    pub schema: SchemaState,
    /// The privileges of the role.
    pub rights: Rights,
    /// The topic to which the log is published.
    pub topic: Option<TopicIdentity>,
    /// How the log is published, once that is bound.
    pub publishing: Option<Publishing>,
    /// The clock of the server, if it has one of its own.
    pub clock: Option<ServerTime>,
    /// The users of the directory, once there is a schema.
    pub users: Option<UserCounts>,
    /// Connections that the server has left, and those that a process needs, where they are limited.
    pub connections: Option<(i64, u32)>,
}

/// How many users the directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserCounts {
    /// Imported users.
    pub imported: usize,
    /// Imported users who are inactive.
    pub inactive: usize,
    /// Users learned from proofs.
    pub learned: usize,
}

/// The schema of a database, compared with the migrations of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// There is none yet.
    Missing,
    /// It is up to date.
    Current,
    /// So many migrations are not applied yet.
    Pending(usize),
    /// This migration of a newer program is applied.
    Newer(i64),
    /// This migration was applied with another text, or failed halfway.
    Damaged(i64),
    /// The role may not read the record of the migrations.
    Unreadable,
}

/// Whether the role has the privileges that the service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Tables that the role may not use as the service does.
    pub denied: Vec<String>,
    /// Whether the role may create and change tables.
    pub may_migrate: bool,
    /// Whether the role may add partitions to the event log.
    pub may_partition: bool,
}

/// A migration as the database records it: version, checksum, and whether it was successful.
pub(super) type Applied = (i64, Vec<u8>, bool);

impl SchemaState {
    /// Compares the recorded migrations with those of the program.
    pub(super) fn of(migrator: &Migrator, applied: &[Applied]) -> Self {
        for (version, checksum, is_successful) in applied {
            match migrator.iter().find(|migration| migration.version == *version) {
                None => return Self::Newer(*version),
                Some(known) if !is_successful || *known.checksum != **checksum => return Self::Damaged(*version),
                Some(_) => {}
            }
        }
        match migrator.iter().count().saturating_sub(applied.len()) {
            0 => Self::Current,
            pending => Self::Pending(pending),
        }
    }

    /// Refuses a schema that is not up to date.
    pub(super) fn require_current(self) -> Result<(), StoreError> {
        const MIGRATE: &str = "run `cmgate migrate` with the role that owns it";
        let problem = match self {
            Self::Current => return Ok(()),
            Self::Missing => format!("the database has no schema yet; {MIGRATE}"),
            Self::Pending(count) => format!("{count} migrations of the schema are not applied yet; {MIGRATE}"),
            Self::Newer(version) => {
                format!("the schema of the database is newer than this program: it has migration {version}")
            }
            Self::Damaged(version) => {
                format!("migration {version} of the database was applied with another text, or failed halfway")
            }
            Self::Unreadable => {
                "the role may not read the table _sqlx_migrations; execute the output of `cmgate grants` with \
                                 the role that owns it"
                    .to_owned()
            }
        };
        Err(StoreError::Unfit(problem))
    }
}

impl Rights {
    /// All privileges.
    pub(super) const fn all() -> Self {
        Self { denied: Vec::new(), may_migrate: true, may_partition: true }
    }
}

/// Imported, inactive and learned users.
pub(super) const COUNT_USERS: &str = "
    SELECT coalesce(sum(CASE WHEN entry = '' THEN 1 ELSE 0 END), 0),
           coalesce(sum(CASE WHEN entry = '' AND status = $1 THEN 1 ELSE 0 END), 0),
           coalesce(sum(CASE WHEN entry = '' THEN 0 ELSE 1 END), 0)
    FROM directory_user";

impl UserCounts {
    pub(super) fn of((imported, inactive, learned): (i64, i64, i64)) -> Self {
        let number = |count: i64| usize::try_from(count).unwrap_or(0);
        Self { imported: number(imported), inactive: number(inactive), learned: number(learned) }
    }
}

/// The tables that a migrator creates.
#[cfg(test)]
pub(super) fn tables(migrator: &Migrator) -> Vec<String> {
    let created = |sql: &str| -> Vec<String> {
        let words: Vec<&str> = sql.split_whitespace().collect();
        let tables = words.windows(3).filter(|words| words.starts_with(&["CREATE", "TABLE"]));
        tables.filter_map(|words| words.last()).map(|name| (*name).to_owned()).collect()
    };
    migrator.iter().flat_map(|migration| created(migration.sql.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::migrations::{POSTGRES, SQLITE};

    fn applied(version: i64) -> Applied {
        let known = POSTGRES.iter().find(|migration| migration.version == version);
        let checksum = known.map_or_else(Vec::new, |migration| migration.checksum.to_vec());
        (version, checksum, true)
    }

    #[test]
    fn each_difference_of_the_schema_has_a_state() {
        let all: Vec<Applied> = POSTGRES.iter().map(|migration| applied(migration.version)).collect();
        let state = |applied: &[Applied]| SchemaState::of(&POSTGRES, applied);
        assert_eq!(state(&all), SchemaState::Current);
        assert_eq!(state(&all[1..]), SchemaState::Pending(1));
        assert_eq!(state(&[&all[..], &[applied(9_999)]].concat()), SchemaState::Newer(9_999));
        let half_done = (1, applied(1).1, false);
        for damaged in [(1, vec![0], true), half_done] {
            assert_eq!(state(&[damaged]), SchemaState::Damaged(1));
        }
    }

    #[test]
    fn the_tables_are_those_of_the_migrations() {
        for migrator in [&*POSTGRES, &*SQLITE] {
            let tables = tables(migrator);
            for name in ["request", "event_log", "event_head", "idempotency_key", "relay_checkpoint", "topology"] {
                assert!(tables.iter().any(|table| table == name), "{name} is not in {tables:?}");
            }
            assert!(tables.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        }
    }
}
