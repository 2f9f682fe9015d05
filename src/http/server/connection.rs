//! One connection, from its first byte to its end: TLS, the version of HTTP, its calls, and closing it.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::early::{EarlyAnswers, EndsUnread};
use super::fallback::{MayUseHttp1, response_or_reset};
use super::tls::{Client, Handshakes, Opened};
use super::{Answers, PeerAddress, RequestBody, Security, ServerSettings, Stop};
use crate::runtime::jitter::jittered;
use crate::runtime::socket::{Socket, UnixSocket, lend, linger};
use crate::runtime::telemetry::{LineLimit, error_chain, names};
use crate::runtime::tls::Tls;

/// Smallest buffer of an HTTP/1 connection; it also bounds the head of a request.
const HTTP1_BUFFER_BYTES: usize = 32 << 10;
/// Flow-control window of a stream.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// Flow-control window of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Maximum size of an HTTP/2 frame; the smallest value that HTTP/2 allows.
const FRAME_BYTES: u32 = 16 << 10;
/// Send buffer of a stream; its handler waits while the buffer is full.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// Maximum number of streams that the client reset before the server accepted them. A client that opens and resets streams in a
/// loop (CVE-2023-44487) is disconnected at this limit.
const PENDING_RESET_STREAMS: usize = 100;
/// Maximum number of streams per connection that the server reset because of client errors (CVE-2025-8671).
const LOCAL_RESET_STREAMS: usize = 1_024;
/// How long an HTTP/2 connection may be idle before the server pings it.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Timeout of such a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before another look at an HTTP/2 preface that has arrived in part, which is rare.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// The first bytes of every HTTP/2 connection (RFC 9113, 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// The client of a connection, and where it is.
struct Remote {
    client: Client,
    peer: Option<PeerAddress>,
}

impl Client {
    fn at(self, peer: Option<SocketAddr>) -> Remote {
        Remote { client: self, peer: peer.map(PeerAddress) }
    }
}

/// Serves the connections of a port.
pub(super) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    security: Security,
    refusals: LineLimit,
    handshakes: Handshakes,
    head_timeout: Duration,
    age: Option<Duration>,
    stall_timeout: Duration,
    early: EarlyAnswers,
}

impl Protocols {
    pub(super) fn new(settings: ServerSettings, security: Security) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(settings.head_timeout)
            .max_buf_size(HTTP1_BUFFER_BYTES.max(settings.head_bytes as usize))
            .keep_alive(true)
            .half_close(false);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_concurrent_streams)
            .max_header_list_size(settings.head_bytes)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .adaptive_window(false)
            .max_frame_size(FRAME_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_pending_accept_reset_streams(PENDING_RESET_STREAMS)
            .max_local_error_reset_streams(LOCAL_RESET_STREAMS)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        if let Security::Tls(tls) = &security {
            Handshakes::begin_counting(tls);
        }
        Self {
            http1,
            http2,
            security,
            refusals: LineLimit::default(),
            handshakes: Handshakes::new(settings.max_handshakes, settings.head_timeout),
            head_timeout: settings.head_timeout,
            age: settings.connection_age,
            stall_timeout: settings.stall_timeout,
            early: EarlyAnswers { body_bytes: settings.body_bytes as u64, timeout: settings.unread_timeout },
        }
    }

    /// Whether the port accepts connections from this address.
    pub(super) fn admits(&self, peer: IpAddr) -> bool {
        match &self.security {
            Security::Plain | Security::Tls(_) => true,
            Security::Terminated(networks) => networks.contain(peer),
        }
    }

    /// Reports a connection that [`Protocols::admits`] refused.
    pub(super) fn refuse(&self, peer: IpAddr) {
        metrics::counter!(names::CONNECTIONS_REFUSED).increment(1);
        if let Some(suppressed) = self.refusals.admit() {
            tracing::warn!(%peer, suppressed, "connection refused: its address is not in tls.terminated");
        }
    }

    /// Serves a connection to its end. `stop.now` ends it gracefully.
    pub(super) async fn serve<S>(self: Arc<Self>, socket: Socket, peer: Option<SocketAddr>, service: S, stop: Stop)
    where
        S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        socket.send_at_once();
        let socket = match (socket, &self.security) {
            // Boxed, because the state of TLS would enlarge the task of every plain connection.
            (Socket::Tcp(stream), Security::Tls(tls)) => {
                return Box::pin(self.serve_tls(tls, stream, peer, service, stop)).await;
            }
            (socket, Security::Tls(_) | Security::Plain | Security::Terminated(_)) => socket,
        };
        let detecting = async move {
            match socket {
                Socket::Tcp(stream) => {
                    let version = version(&stream).await?;
                    Ok::<_, io::Error>((version, Socket::Tcp(stream), Client::Plain))
                }
                Socket::Unix(mut socket) => {
                    let version = version_of_unix(&mut socket).await?;
                    Ok((version, Socket::Unix(socket), Client::Local))
                }
            }
        };
        let detecting = tokio::time::timeout(self.head_timeout, detecting);
        let Some(Ok(Ok((version, socket, client)))) = stop.now.run_until_cancelled(detecting).await else { return };
        let (socket, returned) = lend(socket);
        self.talk(version, socket, returned, client.at(peer), service, stop).await;
    }

    async fn serve_tls<S>(&self, tls: &Tls, stream: TcpStream, peer: Option<SocketAddr>, service: S, stop: Stop)
    where
        S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let Some(opened) = stop.now.run_until_cancelled(self.handshakes.open(tls, stream)).await else { return };
        match opened {
            Opened::Established(established) => {
                let version = if established.is_http2() { Version::Http2 } else { Version::Http1 };
                let (socket, returned, client) = established.into_parts();
                self.talk(version, socket, returned, client.at(peer), service, stop).await;
            }
            Opened::Refused(returned) => linger(returned).await,
            Opened::Gone => {}
        }
    }

    /// Serves the calls of an open connection. `returned` gives the socket back once HTTP has ended.
    async fn talk<S, I>(
        &self,
        version: Version,
        socket: I,
        returned: oneshot::Receiver<Socket>,
        Remote { client, peer }: Remote,
        service: S,
        stop: Stop,
    ) where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let (early, ends_unread, answers) = (self.early, EndsUnread::default(), Answers::default());
        let too_old = self.age.map(|age| Instant::now() + jittered(age));
        // Also ends the connection when its client certificate is no longer valid.
        let ends = stop.now.child_token();
        let soon = stop.soon;
        let calls = {
            let (ends_unread, answers, ends) = (ends_unread.clone(), answers.clone(), ends.clone());
            service_fn(move |mut request| {
                request.extensions_mut().insert(answers.clone());
                if let Some(peer) = peer {
                    request.extensions_mut().insert(peer);
                }
                let is_admitted = client.admit(request.extensions_mut());
                if version == Version::Http2 && client.is_encrypted() {
                    request.extensions_mut().insert(MayUseHttp1);
                }
                // Boxed, because hyper and Tokio copy the future of a stream several times before its first poll.
                let answer = Box::pin(early.answer(service.clone(), request, ends_unread.clone()));
                let (ends, soon) = (ends.clone(), soon.clone());
                async move {
                    let Ok(mut response) = answer.await;
                    // An idle HTTP/1 connection stays open beyond its age: closing it could lose a request on its way. The head
                    // timeout closes it soon.
                    let is_too_old = too_old.is_some_and(|at| at <= Instant::now());
                    // GOAWAY loses no call, so an HTTP/2 connection can stay until the port stops.
                    let is_leaving = version == Version::Http1 && soon.is_cancelled();
                    if !is_admitted || is_too_old || is_leaving {
                        end_after(&mut response, version, &ends);
                    }
                    response_or_reset(response)
                }
            })
        };
        let socket = TokioIo::new(socket);
        let ended = match version {
            Version::Http1 => {
                let connection = until(self.http1.serve_connection(socket, calls), &ends, None);
                unless_stalled(connection, &answers, self.stall_timeout).await
            }
            Version::Http2 => {
                let connection = until(self.http2.serve_connection(socket, calls), &ends, too_old);
                unless_stalled(connection, &answers, self.stall_timeout).await
            }
        };
        let Some(ended) = ended else {
            tracing::info!(timeout = ?self.stall_timeout, "connection closed: the client stopped reading a response");
            // Otherwise the operating system would keep the unsent bytes in its buffers.
            if let Ok(socket) = returned.await {
                socket.discard();
            }
            return;
        };
        if let Err(error) = &ended {
            // Clients may disconnect at any time.
            tracing::debug!(error = %error_chain(error), "connection ended early");
        }
        let may_be_sending = match version {
            Version::Http1 => ends_unread.get() || ended.is_err_and(|error| error.is_parse()),
            // A client may acknowledge frames and update windows at any time.
            Version::Http2 => true,
        };
        if may_be_sending && let Ok(socket) = returned.await {
            linger(socket).await;
        }
    }
}

/// Ends a connection with this response: `Connection: close` over HTTP/1, GOAWAY over HTTP/2.
fn end_after(response: &mut Response<Body>, version: Version, ends: &CancellationToken) {
    match version {
        Version::Http1 => {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Version::Http2 => ends.cancel(),
    }
}

/// Serves a connection to its end; after `ends`, or at the time `too_old`, it accepts no more calls and ends with those in flight.
async fn until<C: GracefulConnection>(connection: C, ends: &CancellationToken, too_old: Option<Instant>) -> C::Output {
    let mut connection = pin!(connection);
    let grows_old = async {
        match too_old {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = ends.cancelled() => {}
        () = grows_old => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Serves a connection to its end; `None` if its client stopped reading a response.
async fn unless_stalled<T>(connection: impl Future<Output = T>, answers: &Answers, timeout: Duration) -> Option<T> {
    tokio::select! {
        biased;
        ended = connection => Some(ended),
        () = answers.stalled(timeout) => None,
    }
}

/// Detects the HTTP version by the first bytes of a connection, without consuming them. hyper-util's automatic detection has no
/// timeout for a client that sends nothing.
async fn version(stream: &TcpStream) -> io::Result<Version> {
    let mut buffer = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut buffer).await?;
        let first = &buffer[..length];
        if length == PREFACE.len() && first == PREFACE {
            return Ok(Version::Http2);
        }
        if length == 0 || !PREFACE.starts_with(first) {
            return Ok(Version::Http1);
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

/// The same for a unix socket, whose bytes cannot be looked at without reading them; they are given back.
async fn version_of_unix(socket: &mut UnixSocket) -> io::Result<Version> {
    let mut buffer = [0; PREFACE.len()];
    let mut length = 0;
    while let Some(free) = buffer.get_mut(length..).filter(|free| !free.is_empty()) {
        let read = socket.read(free).await?;
        length += read;
        if read == 0 || !buffer.get(..length).is_some_and(|first| PREFACE.starts_with(first)) {
            break;
        }
    }
    let is_http2 = length == PREFACE.len() && buffer == *PREFACE;
    socket.unread(Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default()));
    Ok(if is_http2 { Version::Http2 } else { Version::Http1 })
}
