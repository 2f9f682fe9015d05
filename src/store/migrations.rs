//! The schema migrations of each store, compiled in.
//!
//! They are listed by hand because the macro `sqlx::migrate!` would compile sqlx, with SQLite, a second time for the build host.

use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// What opening a store does about its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaUpdate {
    /// Migrates a schema that is not up to date.
    Migrate,
    /// Refuses a schema that is not up to date. Needs no rights to create or change tables.
    Refuse,
}

/// Migrations of the Postgres store.
pub(super) static POSTGRES: LazyLock<Migrator> =
    LazyLock::new(|| migrator(&[(1, "init", include_str!("postgres/migrations/0001_init.sql"))]));

/// Migrations of the SQLite store.
pub(super) static SQLITE: LazyLock<Migrator> =
    LazyLock::new(|| migrator(&[(1, "init", include_str!("sqlite/migrations/0001_init.sql"))]));

/// A migrator over scripts, each with its version and its name.
fn migrator(scripts: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(scripts.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Migrator, POSTGRES, SQLITE};

    fn assert_complete(migrator: &Migrator, folder: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files: Vec<(String, String)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
            .collect();
        files.sort();
        let name = |version: i64, name: &str| format!("{version:04}_{name}.sql");
        let listed: Vec<(String, String)> = migrator
            .iter()
            .map(|migration| (name(migration.version, &migration.description), migration.sql.as_str().to_owned()))
            .collect();
        assert_eq!(listed, files);
    }

    #[test]
    fn every_migration_is_listed() {
        assert_complete(&POSTGRES, "src/store/postgres/migrations");
        assert_complete(&SQLITE, "src/store/sqlite/migrations");
    }
}
