//! Postgres connections after an error: kept if the server refused a statement, discarded if the session may have ended.

use std::net::SocketAddr;

use cmgate::service::{Reply, commit};
use cmgate::store::{Postgres, PostgresSettings, StoreError};
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use super::steps::{carry_out, commit_one};
use crate::support::commands::{TARGET, command, creation, request, start, under_key};
use crate::support::database::{TestDatabase, topology};
use crate::support::servers::postgres_address;

#[tokio::test(flavor = "multi_thread")]
async fn repeated_calls_use_the_connections_that_are_there() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    let create = || under_key("once", 1, creation(request(0)));
    let (created, _) = carry_out(&*store, create()).await;
    let begin = || under_key("begun", 1, command(TARGET, created.id, start()));
    carry_out(&*store, begin()).await;
    let before = backends(&database).await;
    for _ in 0..10 {
        for repeated in [create(), begin()] {
            assert!(commit_one(&*store, repeated).await.unwrap().logged.is_none());
        }
    }
    assert_eq!(backends(&database).await, before);
}

/// After severity ERROR the server has rolled back; after FATAL or PANIC its process ends, before or after the commit.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_ends_the_session_leaves_the_outcome_open() {
    let database = TestDatabase::postgres().await;
    for (severity, is_known) in [(b"VERROR\0", true), (b"VFATAL\0", false), (b"VPANIC\0", false)] {
        let proxy = rewriting_proxy(*b"VERROR\0", *severity).await;
        let url = database.url_at(proxy);
        let settings = PostgresSettings { url, max_connections: 2, relay_connections: 2, topology: topology(4, 2) };
        let store = Postgres::connect(&settings).await.unwrap();
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        for sql in [
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$",
            "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON request EXECUTE FUNCTION refuse()",
        ] {
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
        let failed: Result<Vec<Reply>, StoreError> = commit(&store, &[creation(request(0))]).await;
        let failed = failed.unwrap_err();
        let is_right = match &failed {
            StoreError::Unavailable(_) => is_known,
            StoreError::OutcomeUnknown(_) => !is_known,
            _ => false,
        };
        assert!(is_right, "{}: {failed:?}", String::from_utf8_lossy(severity));
    }
}

/// The backends of the server that serve this database for cmgate.
async fn backends(database: &TestDatabase) -> Vec<i32> {
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cmgate' ORDER BY pid";
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
}

/// A proxy in front of Postgres that replaces some bytes that the server sends.
async fn rewriting_proxy<const N: usize>(from: [u8; N], to: [u8; N]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(postgres_address()).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                    // On loopback, an error arrives in one read.
                    let said = &mut buffer[..length];
                    for at in 0..length.saturating_sub(N - 1) {
                        if said[at..at + N] == from {
                            said[at..at + N].copy_from_slice(&to);
                        }
                    }
                    if to_client.write_all(said).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
