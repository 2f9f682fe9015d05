//! The database and the topic of a measurement, on the servers that `tests/with-services` started.

use std::env;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

/// A database and a topic for one measurement alone.
#[derive(Clone, Debug)]
pub(crate) struct BenchEnv {
    /// URL of the database.
    pub(crate) database: String,
    /// The topic.
    pub(crate) topic: String,
    /// Name of the database.
    name: String,
}

impl BenchEnv {
    pub(crate) async fn new() -> Self {
        let name = format!("bench_{}", Uuid::new_v4().simple());
        execute(&address("CMGATE_TEST_POSTGRES"), format!("CREATE DATABASE {name}")).await;
        let server = address("CMGATE_TEST_POSTGRES");
        // Formatted by hand, because sqlx would add parameters that pgbench rejects.
        let (server, _) = server.rsplit_once('/').unwrap();
        Self { database: format!("{server}/{name}"), topic: name.replace('_', "."), name }
    }

    /// The same database with another topic.
    pub(crate) fn with_topic(&self, topic: String) -> Self {
        Self { topic, ..self.clone() }
    }

    /// Runs a statement in the database.
    pub(crate) async fn execute(&self, sql: impl Into<String>) {
        execute(&self.database, sql.into()).await;
    }

    /// Drops the database, so that its pages do not occupy the server's memory in the next measurement.
    pub(crate) async fn drop_database(self) {
        execute(&address("CMGATE_TEST_POSTGRES"), format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

/// Address of the broker.
pub(crate) fn kafka() -> String {
    address("CMGATE_TEST_KAFKA")
}

fn address(variable: &str) -> String {
    let Ok(address) = env::var(variable) else {
        panic!("{variable} is not set: run this by `tests/with-services cargo bench --bench speed`");
    };
    address
}

async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
