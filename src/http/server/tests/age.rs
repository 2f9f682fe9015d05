//! Connections beyond their age: they end after the call in progress, and nobody's call fails.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::served;
use crate::cli::Settings;
use crate::http::server::ServerSettings;

/// Sends two calls at once over HTTP/1.1 and reads until the server closes the connection.
async fn pipelined(age: Option<Duration>) -> String {
    let settings = ServerSettings { connection_age: age, ..Settings::default().server };
    let stop = CancellationToken::new();
    let server = served(Router::new().route("/", get(async || "here")), settings, &stop).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let call = "GET / HTTP/1.1\r\nHost: cmgate\r\n\r\n";
    let last = call.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{call}{last}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn an_old_connection_closes_after_its_answer() {
    let answer = pipelined(Some(Duration::ZERO)).await;
    assert_eq!(
        (answer.matches("HTTP/1.1 200 OK").count(), answer.matches("connection: close").count()),
        (1, 1),
        "{answer}"
    );
    for young in [None, Some(Duration::from_hours(1))] {
        let answer = pipelined(young).await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    }
}
