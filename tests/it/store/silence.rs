//! A server that stops answering without an error and without closing the connection.

use cmgate::store::StoreError;
use sqlx::{Connection, PgConnection};

use super::steps::{carry_out, read};
use crate::support::commands::{creation, request};
use crate::support::database::TestDatabase;
use crate::support::servers::signal;
use crate::support::wait::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_never_answered_holds_up_no_other() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(0))).await;
    let id = created.id;
    assert_eq!(read(&*store, id).await, *created);

    let silent = Silent::reader_of(&database).await;
    let answer =
        tokio::time::timeout(PATIENCE, store.get(&[id])).await.expect("the call ends without an answer of the server");
    let refused = answer.err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    // The next read does not use that connection.
    assert_eq!(read(&*store, id).await, *created);
    drop(silent);
}

/// A suspended backend of the server. It resumes when this value is dropped, because a suspended process does not end.
struct Silent(i32);

impl Silent {
    /// Suspends the backend that reads requests by id.
    async fn reader_of(database: &TestDatabase) -> Self {
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        let sql = "SELECT pid FROM pg_stat_activity
                   WHERE datname = current_database() AND query LIKE 'SELECT id, document::text FROM request WHERE id =%'";
        let pids: Vec<i32> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        assert_eq!(pids.len(), 1, "one connection has read");
        signal(pids[0], "STOP");
        Self(pids[0])
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}
