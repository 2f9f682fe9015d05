//! Another client keeps a transaction open, in the same database and in another one of the server: nothing waits for it. The
//! transaction outlasts every wait of the test, so its exact length does not matter.

use std::cell::RefCell;
use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::fleet::{Fleet, Wiring};
use super::{Kind, play};
use crate::support::servers::postgres;

#[derive(Clone, Copy, Debug)]
enum Stranger {
    /// It has written, so its transaction id is the oldest on the server.
    Writes,
    /// It has read everything, as a backup does, and so holds locks on the tables.
    Reads,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_of_another_client_delays_nothing() {
    let kind = Kind {
        name: "foreign_transaction",
        wiring: Wiring::Direct,
        fleets: Some(1),
        variants: &[Stranger::Writes, Stranger::Reads],
        rare: Stranger::Writes,
        rounds: 2,
    };
    // The transactions of a round stay open until the next round begins.
    let open = RefCell::new(Vec::new());
    play(kind, async |fleet, stranger| {
        open.take();
        forget_last_partition(fleet).await;
        let here = begin(fleet.env.database.url(), stranger).await;
        let elsewhere = begin(&postgres(), Stranger::Writes).await;
        open.replace(vec![here, elsewhere]);
        let begun = Instant::now();
        // The groups of the killed instance move, and its replacement would create the partition of a coming day.
        let owner = fleet.owner().await;
        fleet.instances[owner].kill();
        fleet.instances[owner] = fleet.start_instance();
        fleet.tell_addresses();
        begun
    })
    .await;
}

async fn begin(database: &str, stranger: Stranger) -> PgConnection {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let table = format!("stranger_{}", Uuid::new_v4().simple());
    let statements = match stranger {
        Stranger::Writes => [
            "BEGIN".to_owned(),
            format!("CREATE TABLE {table} (number int)"),
            format!("INSERT INTO {table} VALUES (1)"),
        ],
        Stranger::Reads => {
            ["BEGIN ISOLATION LEVEL REPEATABLE READ", "TABLE event_log", "TABLE request"].map(str::to_owned)
        }
    };
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    connection
}

/// Drops the log's partition of the last coming day, as at the start of a new day.
async fn forget_last_partition(fleet: &Fleet) {
    let mut connection = PgConnection::connect(fleet.env.database.url()).await.unwrap();
    let sql = "SELECT max(relname::text) FROM pg_class WHERE relname ~ '^event_log_[0-9]{8}$'";
    let last: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("DROP TABLE {last}"))).execute(&mut connection).await.unwrap();
}
