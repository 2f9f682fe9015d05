//! The listener over real sockets: both HTTP versions, graceful shutdown, and clients that send nothing.

mod age;
mod blocking;
mod early;
mod early_http2;
mod frames;
mod unix;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{Security, Server, ServerSettings, serve};
use crate::cli::Settings;
use crate::http::tests::support::api;

const ANYWHERE: &str = "127.0.0.1:0";

async fn served(router: Router, settings: ServerSettings, stop: &CancellationToken) -> Server {
    serve(ANYWHERE.parse().unwrap(), router, settings, Security::Plain, stop.clone()).await.unwrap()
}

/// Gets a path and reads until the server closes the connection.
async fn fetch(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: cmgate\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn one_port_speaks_both_versions_of_http() {
    let stop = CancellationToken::new();
    let calls = api().calls;
    let server = serve(ANYWHERE.parse().unwrap(), calls, Settings::default().server, Security::Plain, stop.clone())
        .await
        .unwrap();
    let address = server.address();
    let answer = fetch(address, "/unknown").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("x-correlation-id: "), "{answer}");

    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let answer = client.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);

    // An idle connection does not delay shutdown.
    stop.cancel();
    server.ended().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_preface_in_pieces_is_detected() {
    let stop = CancellationToken::new();
    let server = served(Router::new(), Settings::default().server, &stop).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in super::connection::PREFACE.chunks(7) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    // An empty SETTINGS frame; the server begins with its own, whose type is 4.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4);
}

#[tokio::test]
async fn calls_in_flight_are_answered_before_shutdown() {
    let stop = CancellationToken::new();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes_on) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = get(async move || {
        begins.notify_one();
        goes_on.notified().await;
        "done"
    });
    let server = served(Router::new().route("/slow", slow), Settings::default().server, &stop).await;
    let call = tokio::spawn(fetch(server.address(), "/slow").into_future());
    begun.notified().await;
    stop.cancel();
    go_on.notify_one();
    assert!(call.await.unwrap().ends_with("done"));
    server.ended().await;
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_off() {
    let stop = CancellationToken::new();
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let endless = get(async move || {
        begins.notify_one();
        std::future::pending::<()>().await;
    });
    let settings = ServerSettings { drain_timeout: Duration::ZERO, ..Settings::default().server };
    let server = served(Router::new().route("/endless", endless), settings, &stop).await;
    let call = tokio::spawn(fetch(server.address(), "/endless"));
    begun.notified().await;
    stop.cancel();
    server.ended().await;
    assert_eq!(call.await.unwrap(), "");
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let stop = CancellationToken::new();
    let settings = ServerSettings { head_timeout: Duration::ZERO, max_connections: 1, ..Settings::default().server };
    let server = served(Router::new(), settings, &stop).await;
    for _ in 0..2 {
        let mut silent = TcpStream::connect(server.address()).await.unwrap();
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn a_connection_waits_until_there_is_room() {
    let stop = CancellationToken::new();
    let settings = ServerSettings { max_connections: 1, ..Settings::default().server };
    let server = served(Router::new().route("/", get(async || "here")), settings, &stop).await;
    let first = TcpStream::connect(server.address()).await.unwrap();
    let second = tokio::spawn(fetch(server.address(), "/"));
    drop(first);
    assert!(second.await.unwrap().ends_with("here"));
}
