//! Connections end at their age, and no call fails: clients notice the end and connect again.

use std::net::SocketAddr;

use bytes::Bytes;
use futures::future::join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::client::{CARDS, REQUESTS};
use crate::support::env::TestEnv;

/// How often the connection of each client must have ended.
const ROUNDS: usize = 3;
/// Clients over each version of HTTP.
const CLIENTS: usize = 4;

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn connect(address: SocketAddr, is_http2: bool) -> Self {
        let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
        if is_http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), socket).await.unwrap();
            tokio::spawn(connection);
            Self::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(socket).await.unwrap();
            tokio::spawn(connection);
            Self::Http1(sender)
        }
    }

    /// Sends a call; `None` if the connection had ended before the call was sent.
    async fn call(&mut self) -> Option<Response<Incoming>> {
        let body =
            format!(r#"{{"type": "Enroll", "profiletemplateuuid": "{CARDS}", "datacollection": "[]", "comment": ""}}"#);
        let uri = match self {
            Self::Http1(_) => REQUESTS.to_owned(),
            Self::Http2(_) => format!("http://cmgate{REQUESTS}"),
        };
        let request = Request::post(uri).header("Content-Type", "application/json");
        let request = request.header("Host", "cmgate").body(Full::from(body)).unwrap();
        let answered = match self {
            Self::Http1(sender) => {
                sender.ready().await.ok()?;
                sender.try_send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await.ok()?;
                sender.try_send_request(request).await
            }
        };
        let has_ended = |mut error: TrySendError<_>| error.take_message().is_some();
        match answered {
            Ok(answer) => Some(answer),
            Err(error) => {
                let problem = format!("{error:?}");
                assert!(has_ended(error), "a call failed: {problem}");
                None
            }
        }
    }
}

/// Creates requests until the connection has ended so many times; returns how many.
async fn create(address: SocketAddr, is_http2: bool) -> usize {
    let mut created = 0;
    for _ in 0..ROUNDS {
        let mut sender = Sender::connect(address, is_http2).await;
        while let Some(answer) = sender.call().await {
            let status = answer.status();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(status, 201, "{body:?}");
            created += 1;
        }
    }
    created
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_when_connections_end_at_their_age() {
    let env = TestEnv::sqlite();
    let instance = env.start_with(&[("CMGATE__LIMITS__CONNECTION_AGE", "1s"), ("CMGATE__KAFKA__BROKERS", "")]);
    let clients = (0..2 * CLIENTS).map(|client| tokio::spawn(create(instance.public, client % 2 == 0)));
    let created: usize = join_all(clients).await.into_iter().map(Result::unwrap).sum();
    let stored = env.database.log_ends().await.into_iter().sum::<u64>();
    assert_eq!(stored, u64::try_from(created).unwrap(), "every call was answered, and none was repeated");
    instance.end().await;
}
