//! Clients that stop reading, over real sockets: their connections are closed and the memory of their responses becomes available
//! to others.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::calls;
use crate::cli::Settings;
use crate::http::server::{self, Security, Server, ServerSettings};
use crate::service::Call;

/// Bytes of a response, more than the buffers of two sockets hold.
const ANSWER_BYTES: usize = 64 << 20;
const PIECE_BYTES: usize = 64 << 10;

/// Longer than the test may take when connections are closed.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server whose large responses use up the memory budget.
async fn served(stop: &CancellationToken) -> Server {
    let router = Router::new().fallback(async |request: Request<Body>| {
        let call = request.extensions().get::<Call>().unwrap();
        if call.memory.hold_to_the_end(400 << 10).is_err() {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        let piece = Bytes::from(vec![b'x'; PIECE_BYTES]);
        let pieces = (0..ANSWER_BYTES / PIECE_BYTES).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
        Ok(Body::from_stream(stream::iter(pieces)))
    });
    let settings = ServerSettings { stall_timeout: Duration::from_millis(300), ..Settings::default().server };
    server::serve("127.0.0.1:0".parse().unwrap(), calls(router, PATIENCE), settings, Security::Plain, stop.clone())
        .await
        .unwrap()
}

/// Begins a call over HTTP/1 and reads the status line of its response.
async fn begin(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: cmgate\r\n\r\n").await.unwrap();
    let mut status = vec![0; b"HTTP/1.1 200".len()];
    stream.read_exact(&mut status).await.unwrap();
    (stream, String::from_utf8(status).unwrap())
}

/// Begins a call over HTTP/2. The connection is kept alive, but the body is not read, so its window stays used up.
async fn begin_http2(address: SocketAddr) -> Response<Incoming> {
    let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), socket).await.unwrap();
    tokio::spawn(connection);
    client.send_request(Request::get("http://cmgate/").body(Empty::<Bytes>::new()).unwrap()).await.unwrap()
}

/// Waits until there is memory for another call, and reads its whole response slowly, without long pauses.
async fn takes_a_whole_answer(address: SocketAddr) {
    let whole = async {
        loop {
            let answer = begin_http2(address).await;
            if answer.status() == StatusCode::OK {
                return answer.into_body().collect().await.unwrap().to_bytes().len();
            }
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, whole).await.unwrap(), ANSWER_BYTES);
}

#[tokio::test]
async fn a_stalled_http1_connection_is_closed_and_releases_its_memory() {
    let stop = CancellationToken::new();
    let server = served(&stop).await;
    let (mut stalled, status) = begin(server.address()).await;
    assert_eq!(status, "HTTP/1.1 200");
    assert_eq!(begin(server.address()).await.1, "HTTP/1.1 429");
    takes_a_whole_answer(server.address()).await;
    let mut rest = Vec::new();
    let _reset_or_end = stalled.read_to_end(&mut rest).await;
    assert!(rest.len() < ANSWER_BYTES, "the answer was cut");
}

#[tokio::test]
async fn a_stalled_http2_connection_is_closed_and_releases_its_memory() {
    let stop = CancellationToken::new();
    let server = served(&stop).await;
    let stalled = begin_http2(server.address()).await;
    assert_eq!(stalled.status(), StatusCode::OK);
    assert_eq!(begin(server.address()).await.1, "HTTP/1.1 429");
    takes_a_whole_answer(server.address()).await;
    assert!(stalled.into_body().collect().await.is_err(), "the answer was cut");
}
