//! The channel binding of a connection, and the way back from HTTP/2 to HTTP/1.1.

use std::fs;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use h2::Reason;
use http::StatusCode;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::sync::oneshot;

use super::*;
use crate::http::server::{MayUseHttp1, NeedsHttp1};
use crate::runtime::tls::ServerEndPoint;

/// More calls than a connection has streams at a time, and than HTTP/2 streams that fail because of their client.
const MANY: usize = 1_200;

/// Answers with the channel binding, or to `/http1` that the call needs HTTP/1.1 if its client can use that.
fn router() -> Router {
    let binding = async |request: Request<Body>| {
        let binding = request.extensions().get::<ServerEndPoint>();
        binding.map_or_else(|| "none".to_owned(), |binding| hex(binding.as_bytes()))
    };
    let needs_http1 = async |request: Request<Body>| -> Response {
        let mut response = (StatusCode::UNAUTHORIZED, "as it is").into_response();
        if request.extensions().get::<MayUseHttp1>().is_some() {
            response.extensions_mut().insert(NeedsHttp1);
        }
        response
    };
    Router::new().route("/http1", axum::routing::any(needs_http1)).fallback(binding)
}

fn hex(bytes: &[u8]) -> String {
    format!("{bytes:02x?}")
}

async fn serve_router(security: Security, stop: &CancellationToken) -> Server {
    let settings = Settings::default().server;
    serve("127.0.0.1:0".parse().unwrap(), router(), settings, security, stop.clone()).await.unwrap()
}

/// The binding to the certificate in a file.
fn binding_to(pem: &str) -> String {
    let certificate = <CertificateDer<'_> as PemObject>::from_pem_slice(pem.as_bytes()).unwrap();
    hex(ServerEndPoint::of_certificate(&certificate).unwrap().as_bytes())
}

#[tokio::test]
async fn a_connection_keeps_the_binding_to_the_certificate_that_it_was_opened_with() {
    let (site, stop) = (Site::new(), CancellationToken::new());
    for asks in [true, false] {
        let mut settings = site.settings();
        settings.clients = settings.clients.filter(|_| asks);
        let tls = site.load_with(settings);
        let server = serve_router(Security::Tls(tls.clone()), &stop).await;
        let mut open = site.connect(&server, None).await;
        let first = binding_to(&fs::read_to_string(site.path("server.pem")).unwrap());
        assert!(call(&mut open).await.unwrap().ends_with(&first));
        let next = site.server.server(time(NEVER));
        site.write("server.pem", &next.pem);
        site.write("server.key", &next.key_pem);
        assert_eq!(tls.reload().unwrap(), Reloaded::Applied(2));
        assert!(call(&mut open).await.unwrap().ends_with(&first), "the certificate of the connection is the same");
        let mut fresh = site.connect(&server, None).await;
        let second = binding_to(&next.pem);
        assert!(first != second && call(&mut fresh).await.unwrap().ends_with(&second));
    }
}

/// A connection to a server of which the server has received one byte so far. The rest follows when the returned sender is used.
async fn held_back(server: &Server) -> (DuplexStream, oneshot::Sender<()>) {
    let (client, mut relayed) = duplex(1 << 16);
    let (release, released) = oneshot::channel();
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    tokio::spawn(async move {
        let mut first = [0];
        relayed.read_exact(&mut first).await.unwrap();
        socket.write_all(&first).await.unwrap();
        released.await.unwrap();
        copy_bidirectional(&mut relayed, &mut socket).await
    });
    (client, release)
}

#[tokio::test]
async fn a_reload_during_a_handshake_does_not_change_the_binding() {
    let (site, stop) = (Site::new(), CancellationToken::new());
    let tls = site.load();
    let server = serve_router(Security::Tls(tls.clone()), &stop).await;
    let (socket, release) = held_back(&server).await;
    let (config, reloading) = (site.client(None, &[]), async {
        // Usually the server has begun by then; what is asserted does not depend on it.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let next = site.server.server(time(NEVER));
        site.write("server.pem", &next.pem);
        site.write("server.key", &next.key_pem);
        assert_eq!(tls.reload().unwrap(), Reloaded::Applied(2));
        release.send(()).unwrap();
    });
    let (mut stream, ()) = tokio::join!(handshake(config, socket), reloading);
    let presented = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let binding = hex(ServerEndPoint::of_certificate(&presented).unwrap().as_bytes());
    assert!(call(&mut stream).await.unwrap().ends_with(&binding));
}

/// Sends a call over HTTP/2; an error is the reason of the reset of its stream.
async fn get(sender: &mut http2::SendRequest<Empty<Bytes>>, path: &str) -> Result<u16, Reason> {
    let request = Request::get(format!("https://localhost{path}")).body(Empty::new()).unwrap();
    sender.ready().await.unwrap();
    sender.send_request(request).await.map(|answer| answer.status().as_u16()).map_err(|error| {
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<h2::Error>());
        let source = source.unwrap_or_else(|| panic!("not an error of HTTP/2: {error:?}"));
        assert!(source.is_remote() && source.is_reset(), "{source:?}");
        source.reason().unwrap()
    })
}

async fn over_http2<S>(stream: S) -> http2::SendRequest<Empty<Bytes>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn a_call_that_needs_http1_is_reset_over_http2_and_its_connection_goes_on() {
    let (site, stop) = (Site::new(), CancellationToken::new());
    let server = serve_router(Security::Tls(site.load()), &stop).await;
    let mut sender = over_http2(site.connect_for(&server, None, &[b"h2"]).await).await;
    for _ in 0..MANY {
        assert_eq!(get(&mut sender, "/http1").await, Err(Reason::HTTP_1_1_REQUIRED));
    }
    assert_eq!(get(&mut sender, "/").await, Ok(200));
    // The same call over HTTP/1.1 has its answer.
    let mut stream = site.connect(&server, None).await;
    stream.write_all(b"GET /http1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.ends_with("as it is"), "{answer}");
}

#[tokio::test]
async fn without_tls_no_call_is_reset() {
    let stop = CancellationToken::new();
    let server = serve_router(Security::Plain, &stop).await;
    let mut sender = over_http2(TcpStream::connect(server.address()).await.unwrap()).await;
    assert_eq!(get(&mut sender, "/http1").await, Ok(401));
}
