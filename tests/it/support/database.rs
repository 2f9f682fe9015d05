//! An empty database of one test, on Postgres or SQLite.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;

use cmgate::domain::ShardCount;
use cmgate::store::{Postgres, PostgresSettings, Sqlite, SqliteSettings, Store, StoreError, Topology};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::runtime;
use uuid::Uuid;

use super::servers::{Exclusive, Share, postgres};

/// Connections of the pool of each store; fewer than the tasks of a race, so that some wait for one.
const CONNECTIONS: u32 = 6;

/// A database of one test. It is removed when the last clone is dropped, whoever is still connected; until then no other test
/// kills the servers.
#[derive(Clone)]
pub(crate) struct TestDatabase {
    url: String,
    held: Arc<Held>,
}

/// The engine of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Sqlite,
}

/// The resources that are removed with the database.
enum Held {
    Postgres { name: String, _share: Option<Share> },
    Sqlite { path: PathBuf, _directory: TempDir, _share: Share },
    Nothing,
}

impl TestDatabase {
    /// Creates a database on the Postgres server.
    pub(crate) async fn postgres() -> Self {
        Self::create("template1", Some(Share::take())).await
    }

    /// Creates a Postgres database for a test that kills servers.
    pub(crate) async fn postgres_within(_servers: &Exclusive) -> Self {
        Self::create("template1", None).await
    }

    /// A temporary directory with a SQLite file, which does not exist yet.
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cmgate.db");
        let url = format!("sqlite://{}", path.display());
        Self { url, held: Arc::new(Held::Sqlite { path, _directory: directory, _share: Share::take() }) }
    }

    /// A database that this value neither creates nor removes, or that does not exist.
    pub(crate) fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), held: Arc::new(Held::Nothing) }
    }

    /// Another empty database on the same engine.
    pub(crate) async fn another(&self) -> Self {
        match self.engine() {
            Engine::Postgres => Self::postgres().await,
            Engine::Sqlite => Self::sqlite(),
        }
    }

    /// A copy of this Postgres database, to which nobody may be connected.
    pub(crate) async fn copy(&self) -> Self {
        Self::create(self.name(), Some(Share::take())).await
    }

    async fn create(template: &str, share: Option<Share>) -> Self {
        let name = format!("cmgate_{}", Uuid::new_v4().simple());
        execute_on_server(format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let options = PgConnectOptions::from_str(&postgres()).unwrap().database(&name);
        let url = options.to_url_lossy().to_string();
        Self { url, held: Arc::new(Held::Postgres { name, _share: share }) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn engine(&self) -> Engine {
        if self.url.starts_with("postgres") { Engine::Postgres } else { Engine::Sqlite }
    }

    /// Its URL through a proxy, which does not support TLS.
    pub(crate) fn url_at(&self, proxy: SocketAddr) -> String {
        format!("postgres://postgres@{proxy}/{}?sslmode=disable", self.name())
    }

    /// Path of the SQLite file.
    pub(crate) fn path(&self) -> &Path {
        let Held::Sqlite { path, .. } = &*self.held else { panic!("{} is no SQLite file of a test", self.url) };
        path
    }

    fn name(&self) -> &str {
        let Held::Postgres { name, .. } = &*self.held else { panic!("{} is no Postgres database of a test", self.url) };
        name
    }

    /// Opens it as a starting process does.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.open_with(topology(4, 2)).await.unwrap()
    }

    pub(crate) async fn open_with(&self, topology: Topology) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self.engine() {
            Engine::Postgres => {
                let url = self.url.clone();
                let settings =
                    PostgresSettings { url, max_connections: CONNECTIONS, relay_connections: CONNECTIONS, topology };
                Arc::new(Postgres::connect(&settings).await?)
            }
            Engine::Sqlite => Arc::new(Sqlite::open(&SqliteSettings { path: self.path().to_owned(), topology }).await?),
        })
    }

    /// Executes a statement, bypassing the service.
    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.engine() {
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected()
            }
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected()
            }
        }
    }

    /// Number of rows in a table.
    pub(crate) async fn count(&self, table: &str) -> usize {
        let counts = self.numbers(&format!("SELECT count(*) FROM {table}")).await;
        counts[0].try_into().unwrap()
    }

    /// The last position of each shard, in the order of the shards.
    pub(crate) async fn log_ends(&self) -> Vec<u64> {
        self.numbers("SELECT CAST(next - 1 AS bigint) FROM event_head ORDER BY shard").await
    }

    async fn numbers(&self, sql: &str) -> Vec<u64> {
        let sql = AssertSqlSafe(sql.to_owned());
        let numbers: Vec<i64> = match self.engine() {
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
        };
        numbers.into_iter().map(i64::cast_unsigned).collect()
    }
}

impl Drop for Held {
    /// A destructor cannot await and may run inside the runtime of a test, so a thread of its own drops the database.
    fn drop(&mut self) {
        let Self::Postgres { name, .. } = self else { return };
        let drop_database = format!("DROP DATABASE {name} WITH (FORCE)");
        let dropped = thread::spawn(|| {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute_on_server(drop_database));
        });
        // If a failed test left the server down, there is nothing to drop.
        let _ = dropped.join();
    }
}

async fn execute_on_server(sql: String) {
    let mut connection = PgConnection::connect(&postgres()).await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

pub(crate) fn topology(shards: u16, partition_groups: u16) -> Topology {
    Topology { shards: ShardCount::new(shards).unwrap(), partition_groups }
}
