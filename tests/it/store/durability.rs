//! Postgres settings that could lose commits: the store refuses the database.

use cmgate::store::StoreError;

use crate::support::database::{TestDatabase, topology};

/// With weaker settings, the topic could contain an event whose request was lost in a crash of the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_may_lose_commits_is_refused() {
    let database = TestDatabase::postgres().await;
    for setting in ["off", "local", "remote_write"] {
        database.execute(&set_synchronous_commit(setting)).await;
        let refused = database.open_with(topology(4, 2)).await.err();
        assert!(matches!(refused, Some(StoreError::Unfit(_))), "{setting}: {refused:?}");
    }
    for setting in ["on", "remote_apply"] {
        database.execute(&set_synchronous_commit(setting)).await;
        database.open().await;
    }
}

fn set_synchronous_commit(setting: &str) -> String {
    let statement = format!("ALTER DATABASE %I SET synchronous_commit = {setting}");
    format!("DO $$ BEGIN EXECUTE format('{statement}', current_database()); END $$")
}
