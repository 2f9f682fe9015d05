//! `[database]`: the database of requests and of the event log.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;

use super::error::{Invalid, require, require_within};
use super::setting::{self, Setting};
use super::{Mode, OptionalPath};

/// `[database]`: the database of requests and of the event log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://` or `sqlite://`, the latter with a path. Default: `sqlite://data/cmgate.db`.
    #[serde(with = "setting")]
    pub url: DatabaseUrl,
    /// File with the URL; it replaces `url`. Default: empty.
    #[serde(with = "setting")]
    pub url_file: OptionalPath,
    /// Maximum connections that read for callers. Default: 16.
    #[serde(deserialize_with = "setting::deserialize")]
    pub max_connections: u32,
    /// Whether production may use `SQLite`, which only one process can use and which has no standby. Default: false.
    #[serde(deserialize_with = "setting::deserialize")]
    pub allow_sqlite_in_production: bool,
}

impl Default for Database {
    fn default() -> Self {
        let url = DatabaseUrl { kind: DatabaseKind::Sqlite, url: "sqlite://data/cmgate.db".into() };
        Self { url, url_file: OptionalPath(None), max_connections: 16, allow_sqlite_in_production: false }
    }
}

impl Database {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("database.max_connections", &self.max_connections, &(1..=10_000))?;
        match self.url.kind {
            DatabaseKind::Postgres => check_postgres(self.url.expose()),
            DatabaseKind::Sqlite => Ok(()),
        }
    }

    /// Production uses `SQLite` only on purpose: it is also what a lost or mistyped setting falls back to.
    pub(super) fn check_for(&self, mode: Mode) -> Result<(), Invalid> {
        let is_meant = match (mode, self.url.kind) {
            (Mode::Development, _) | (Mode::Production, DatabaseKind::Postgres) => true,
            (Mode::Production, DatabaseKind::Sqlite) => self.allow_sqlite_in_production,
        };
        let problem = format!(
            "is {} and must begin with postgres:// in production; set database.allow_sqlite_in_production to use SQLite",
            self.url
        );
        require(is_meant, "database.url", problem)
    }
}

/// Checks what the driver would only notice while it connects, if at all: it resolves a list of hosts as one name, and takes the
/// name of the user for a missing name of the database.
fn check_postgres(url: &str) -> Result<(), Invalid> {
    let path = "database.url";
    let after_user = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
    let hosts = after_user.split(['/', '?']).find(|part| !part.is_empty() && !part.ends_with(':'));
    let one_host = "must name one host; use a name or an address that follows the primary server";
    require(!hosts.is_some_and(|hosts| hosts.contains(',')), path, one_host)?;
    let options = PgConnectOptions::from_str(url).map_err(|error| {
        let text = error.to_string();
        // The driver wraps some of its errors twice.
        let cause = text.trim_start_matches("error with configuration: ");
        let remedy = "in user and password, write characters such as @ / ? # % in percent-encoding";
        Invalid { path: path.into(), problem: format!("is not a URL of Postgres: {cause}; {remedy}") }
    })?;
    require(!options.get_host().contains(','), path, one_host)?;
    require(options.get_database().is_some(), path, "must name a database, such as postgres://user@host/cmgate")
}

/// The URL of a database. A password in it is masked wherever the URL is shown.
#[derive(Clone)]
pub struct DatabaseUrl {
    kind: DatabaseKind,
    url: SecretString,
}

/// The kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// Postgres.
    Postgres,
    /// A file of `SQLite`.
    Sqlite,
}

impl DatabaseUrl {
    /// The kind of database.
    #[must_use]
    pub const fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The whole URL with its password, for the driver only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

impl Setting for DatabaseUrl {
    const EXPECTED: &'static str = "a URL that begins with postgres:// or sqlite:// and names a database";
    const IS_SECRET: bool = true;

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let kind = match scheme {
            "postgres" | "postgresql" => DatabaseKind::Postgres,
            "sqlite" => DatabaseKind::Sqlite,
            _ => return None,
        };
        (!rest.is_empty()).then(|| Self { kind, url: text.into() })
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(self.expose()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The URL with its password masked: everything between the user and the last `@`, since a password may contain any
/// character, and every parameter with "password" in its name.
fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let (user, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => match login.split_once(':') {
            Some((user, _)) => (format!("{user}:***@"), rest),
            None => (format!("{login}@"), rest),
        },
        None => (String::new(), rest),
    };
    let Some((place, parameters)) = rest.split_once('?') else { return format!("{scheme}://{user}{rest}") };
    let masked_parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=***"),
        _ => parameter.to_owned(),
    };
    let parameters: Vec<String> = parameters.split('&').map(masked_parameter).collect();
    format!("{scheme}://{user}{place}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let cases = [
            ("postgres://cmgate:canary@db/cmgate", "postgres://cmgate:***@db/cmgate"),
            ("postgres://cmgate:canary@db:5432/x?sslmode=require", "postgres://cmgate:***@db:5432/x?sslmode=require"),
            ("postgres://cmgate@db/cmgate", "postgres://cmgate@db/cmgate"),
            ("postgres://db/x?user=a&password=canary", "postgres://db/x?user=a&password=***"),
            ("postgres://db/x?SSLPassword=canary&a=b", "postgres://db/x?SSLPassword=***&a=b"),
            ("postgres://u:ca/na?ry@canary@db/x", "postgres://u:***@db/x"),
            ("postgresql://u:canary?@canary&x@db", "postgresql://u:***@db"),
            ("sqlite://data/cmgate.db", "sqlite://data/cmgate.db"),
        ];
        for (url, shown) in cases {
            let url = DatabaseUrl::read(url).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }

    #[test]
    fn a_url_of_postgres_names_one_host_and_a_database() {
        let check = |url: &str| {
            let database = Database { url: DatabaseUrl::read(url).unwrap(), ..Database::default() };
            database.check().map_err(|invalid| {
                assert!(!invalid.problem.contains("canary"), "{}", invalid.problem);
                format!("{} {}", invalid.path, invalid.problem)
            })
        };
        for url in [
            "postgres://db/x",
            "postgres://u:canary%40@db:5432/x?sslmode=require",
            "postgres://[::1]:5432/x",
            "postgres:///x?host=/run/postgresql",
            "postgres://db?dbname=x",
        ] {
            check(url).unwrap();
        }
        for (url, problem) in [
            ("postgres://u:canary@db", "must name a database, such as postgres://"),
            ("postgres://u:canary@a,b/x", "must name one host"),
            ("postgres://u:canary@a:1,b:2/x", "must name one host"),
            ("postgres:///x?host=a,b", "must name one host"),
            ("postgres://u:can/ary@db/x", "is not a URL of Postgres: invalid port number; in user and password"),
            ("postgres://db/x?sslmode=maybe", "is not a URL of Postgres: unknown value \"maybe\""),
        ] {
            let refused = check(url).unwrap_err();
            assert!(refused.starts_with(&format!("database.url {problem}")), "{url}: {refused}");
        }
    }

    #[test]
    fn other_databases_are_refused() {
        for url in ["", "mysql://db/x", "postgres:", "postgres://", "sqlite::memory:", "cmgate.db"] {
            assert!(DatabaseUrl::read(url).is_none(), "{url:?}");
        }
    }
}
