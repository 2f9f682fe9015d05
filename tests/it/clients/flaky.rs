//! A proxy in front of a service that answers the first calls itself, with errors.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code, Status};

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// The proxy.
pub(super) struct Flaky {
    pub(super) address: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Flaky {
    /// Answers one call with each of these codes, and forwards the others.
    pub(super) async fn start(service: SocketAddr, errors: &'static [Code]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flaky = Self { address: listener.local_addr().unwrap(), calls: Arc::default() };
        let calls = Arc::clone(&flaky.calls);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let calls = Arc::clone(&calls);
                let answer = service_fn(move |request: Request<Incoming>| {
                    let attempt = request.headers().get("grpc-previous-rpc-attempts");
                    let attempt = attempt.map_or("first", |attempt| attempt.to_str().unwrap()).to_owned();
                    let mut calls = calls.lock().unwrap();
                    calls.push(attempt);
                    let error = errors.get(calls.len() - 1);
                    async move { Ok::<_, Infallible>(answer(error, request, service).await) }
                });
                tokio::spawn(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer));
            }
        });
        flaky
    }

    /// The attempts so far: `first`, or the number of attempts before it.
    pub(super) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

async fn answer(error: Option<&Code>, request: Request<Incoming>, service: SocketAddr) -> Answer {
    if let Some(code) = error {
        let refusal: Response<()> = Status::new(*code, "try again").into_http();
        return refusal.map(|()| Empty::new().map_err(|never| match never {}).boxed());
    }
    let stream = TokioIo::new(TcpStream::connect(service).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    client.send_request(request).await.unwrap().map(BodyExt::boxed)
}
