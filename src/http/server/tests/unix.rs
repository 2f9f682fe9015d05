//! The unix socket: both versions of HTTP, the mark of its requests, and its end.

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use http::Version;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::served;
use crate::cli::Settings;
use crate::http::server::{LocalSocket, serve_unix};
use crate::http::tests::support::api;

/// Says over what a call came.
fn origin() -> Router {
    let tell = async |request: Request| {
        assert_eq!(request.version(), Version::HTTP_11);
        if request.extensions().get::<LocalSocket>().is_some() { "the socket" } else { "the network" }
    };
    Router::new().route("/", get(tell))
}

#[tokio::test]
async fn a_call_through_the_socket_is_marked() {
    let (directory, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let path = directory.path().join("proxy.sock");
    let server = serve_unix(&path, origin(), Settings::default().server, stop.clone()).unwrap();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    // In pieces, the first of which could be the begin of either version.
    for piece in ["G", "ET / HTTP/1.1\r\nHost: cmgate\r\nConnection: close\r\n\r\n"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("the socket"), "{answer}");
    let network = served(origin(), Settings::default().server, &stop).await;
    assert!(super::fetch(network.address(), "/").await.ends_with("the network"));

    stop.cancel();
    server.ended().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn grpc_works_through_the_socket() {
    let (directory, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let path = directory.path().join("proxy.sock");
    let server = serve_unix(&path, api().calls, Settings::default().server, stop.clone()).unwrap();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap();
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    stop.cancel();
    server.ended().await;
}
