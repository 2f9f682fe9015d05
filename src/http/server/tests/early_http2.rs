//! Early responses over HTTP/2: they arrive, and the connection stays usable.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures::future::join_all;
use futures::stream;
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::cli::Settings;
use crate::http::server::{Security, serve};
use crate::http::tests::support::api;

const REQUESTS: &str = "/CertificateManagement/api/v1.0/requests";
const CHUNK: usize = 16 << 10;

async fn connect() -> SendRequest<Body> {
    let stop = CancellationToken::new();
    let server = serve("127.0.0.1:0".parse().unwrap(), api().calls, Settings::default().server, Security::Plain, stop)
        .await
        .unwrap();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends a body of `length` bytes in pieces, reads the whole response, and returns its status or gRPC code.
async fn call(mut sender: SendRequest<Body>, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let pieces = (0..length.div_ceil(CHUNK)).map(|_| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; CHUNK])));
    let mut request = Request::post(format!("http://cmgate{path}")).version(Version::HTTP_2);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from_stream(stream::iter(pieces))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.headers().get("grpc-status").map(|status| format!("grpc {}", status.to_str().unwrap()));
    let status = status.unwrap_or_else(|| response.status().as_str().to_owned());
    response.into_body().collect().await.unwrap();
    status
}

#[tokio::test]
async fn an_early_response_arrives_and_leaves_the_connection_usable() {
    let sender = connect().await;
    let grpc = [("content-type", "application/grpc")];
    // Far more bytes than the connection window, in bodies below and above the limit.
    for length in [CHUNK, 900_000, 3 << 20] {
        for _ in 0..5 {
            let calls = [
                call(sender.clone(), REQUESTS, &[("x-dev-user", "nobody")], length),
                call(sender.clone(), "/nothing", &[], length),
                call(sender.clone(), REQUESTS, &[("content-type", "text/plain")], length),
                call(sender.clone(), "/cmgate.v1.RequestService/Nothing", &grpc, length),
                call(sender.clone(), "/cmgate.v1.RequestService/CreateRequest", &[], length),
            ];
            assert_eq!(join_all(calls).await, ["401", "404", "415", "grpc 12", "415"]);
        }
    }
}

#[tokio::test]
async fn many_early_responses_do_not_close_the_connection() {
    let sender = connect().await;
    for _ in 0..10 {
        let calls = (0..100).map(|_| call(sender.clone(), REQUESTS, &[("x-dev-user", "nobody")], 600_000));
        assert!(join_all(calls).await.iter().all(|status| status == "401"));
    }
}
