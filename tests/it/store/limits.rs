//! Limits on Postgres: a lock delays only those who need it, and unsuitable settings of a database are overridden or refused.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use cmgate::domain::{Comment, Credential, CredentialStatus, Item, Lineage, SmartcardId, TemplateRef};
use cmgate::service::{commit, import_credentials};
use cmgate::store::{OlderTemplate, Postgres, PostgresSettings, StoreError};
use futures::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use super::steps::{carry_out, read};
use crate::support::commands::{TARGET, TEMPLATE, at, creation, needing, request, template};
use crate::support::database::{TestDatabase, topology};
use crate::support::servers::postgres;
use crate::support::wait::{PATIENCE, wait_until};

fn card(number: u128) -> Credential {
    Credential {
        item: Item::Smartcard { id: SmartcardId::new(Uuid::from_u128(number)), profile: None, card: None },
        owner: TARGET,
        template: TemplateRef { id: TEMPLATE, version: 1 },
        status: CredentialStatus::Active,
        lineage: Lineage::First,
        comment: Comment::default(),
    }
}

/// More imports than there are connections of any kind wait for one row, and the relay continues to read.
#[tokio::test(flavor = "multi_thread")]
async fn imports_that_wait_for_a_lock_hold_up_no_relay() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    assert_eq!(import_credentials(&*store, &[card(1)], at(0)).await.unwrap(), Ok(()));
    let (created, event) = carry_out(&*store, creation(request(0))).await;
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let mut tx = stranger.begin().await.unwrap();
    sqlx::query("SELECT FROM credential FOR UPDATE").execute(&mut *tx).await.unwrap();

    let imports: Vec<_> = (0..12)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { import_credentials(&*store, &[card(1)], at(0)).await })
        })
        .collect();
    wait_until("imports wait for the row", async || waiting(&database).await > 0).await;
    for _ in 0..20 {
        let read = async {
            store.log_ends().await.unwrap();
            store.checkpoints().await.unwrap();
            store.read_log(event.shard, event.position, 10).await.unwrap();
        };
        // Without separate connections the relay would wait longer than this.
        tokio::time::timeout(Duration::from_secs(2), read).await.expect("the relay waits for no import");
        carry_out(&*store, creation(request(0))).await;
    }
    let outcomes = tokio::time::timeout(PATIENCE, join_all(imports)).await.expect("imports time out");
    for outcome in outcomes {
        let outcome = outcome.unwrap();
        assert!(matches!(outcome, Err(StoreError::Busy(_))), "{outcome:?}");
    }
    tx.rollback().await.unwrap();
    assert_eq!(import_credentials(&*store, &[card(1)], at(0)).await.unwrap(), Ok(()));
    assert_eq!(read(&*store, created.id).await, *created);
}

/// Storing a template and deleting old keys give up on a lock, too.
#[tokio::test(flavor = "multi_thread")]
async fn maintenance_that_waits_for_a_lock_gives_up() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let mut tx = stranger.begin().await.unwrap();
    sqlx::query("LOCK TABLE profile_template, idempotency_key IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await
        .unwrap();
    let given_up = async {
        let refused = store.put_template(&template(needing(0)), OlderTemplate::Keep, at(0)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Busy(_)), "{refused:?}");
        let refused = store.maintain(at(0), at(-60)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Busy(_)), "{refused:?}");
    };
    tokio::time::timeout(PATIENCE, given_up).await.expect("every call times out");
    tx.rollback().await.unwrap();
    assert_eq!(store.put_template(&template(needing(0)), OlderTemplate::Keep, at(0)).await.unwrap(), 1);
    store.maintain(at(0), at(-60)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_default_isolation_level_does_no_harm() {
    for isolation in ["repeatable read", "serializable"] {
        let database = TestDatabase::postgres().await;
        alter(&database, &format!("default_transaction_isolation = '{isolation}'")).await;
        super::races::concurrent_batches_over_the_same_requests_all_succeed(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_another_encoding_is_refused() {
    let name = format!("cmgate_{}", Uuid::new_v4().simple());
    let mut server = PgConnection::connect(&postgres()).await.unwrap();
    let mut run = async |sql: String| sqlx::query(AssertSqlSafe(sql)).execute(&mut server).await.map(|_| ());
    run(format!("CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"))
        .await
        .unwrap();
    let url = PgConnectOptions::from_str(&postgres()).unwrap().database(&name).to_url_lossy().to_string();
    let settings = PostgresSettings { url, max_connections: 2, relay_connections: 2, topology: topology(4, 2) };
    let refused = Postgres::connect(&settings).await.err();
    run(format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    let Some(StoreError::Unfit(sentence)) = refused else { panic!("{refused:?}") };
    assert_eq!(sentence, "the encoding of the database must be UTF8; it is LATIN1");
}

/// A store whose last write failed, or whose server accepts no writes, is not ready.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_writes_makes_the_store_unready() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    store.ping().await.unwrap();
    alter(&database, "default_transaction_read_only = on").await;
    wait_until("the store reports that it cannot write", async || {
        matches!(store.ping().await, Err(StoreError::ReadOnly(_)))
    })
    .await;
    let refused = commit(&*store, &[creation(request(0))]).await.unwrap_err();
    assert!(refused.is_transient(), "{refused:?}");
    alter(&database, "default_transaction_read_only = off").await;
    wait_until("the store is ready", async || store.ping().await.is_ok()).await;
    carry_out(&*store, creation(request(0))).await;
}

/// The number of sessions that wait for a lock.
async fn waiting(database: &TestDatabase) -> i64 {
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// Changes a default setting of a database, and ends its existing sessions.
async fn alter(database: &TestDatabase, setting: &str) {
    let options = PgConnectOptions::from_str(database.url()).unwrap();
    let name = options.get_database().unwrap();
    let mut server = PgConnection::connect(&postgres()).await.unwrap();
    for sql in [
        format!("ALTER DATABASE {name} SET {setting}"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut server).await.unwrap();
    }
}
