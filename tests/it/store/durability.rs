//! What only Postgres can be set to.

use cmgate::store::StoreError;

use super::place::{Place, topology};

/// With less, an event could be on the topic whose request a crash of the server has undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_may_lose_commits_is_refused() {
    let place = Place::postgres().await;
    for setting in ["off", "local", "remote_write"] {
        place.tamper(&set_synchronous_commit(setting)).await;
        let refused = place.open_with(topology(4, 2)).await.err();
        assert!(matches!(refused, Some(StoreError::Unfit(_))), "{setting}: {refused:?}");
    }
    for setting in ["on", "remote_apply"] {
        place.tamper(&set_synchronous_commit(setting)).await;
        place.open().await;
    }
}

fn set_synchronous_commit(setting: &str) -> String {
    let statement = format!("ALTER DATABASE %I SET synchronous_commit = {setting}");
    format!("DO $$ BEGIN EXECUTE format('{statement}', current_database()); END $$")
}
