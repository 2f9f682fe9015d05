//! The listener of a port: HTTP/1.1 and HTTP/2 without TLS on one socket, with explicit limits and graceful shutdown.

mod body;
mod early;
mod linger;
mod stall;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::early::{EarlyAnswers, EndsUnread};
use crate::runtime::telemetry::error_chain;

pub use body::RequestBody;
pub use stall::{Answers, Progress};

/// Limits of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Maximum number of connections; more wait in the operating system's backlog.
    pub max_connections: usize,
    /// Maximum number of concurrent calls per HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// Timeout for the first bytes of a connection, and for the head of each request of an HTTP/1 connection.
    pub head_timeout: Duration,
    /// Limit on a request body, in bytes.
    pub body_bytes: usize,
    /// Timeout for reading and discarding the body of a call that was answered early.
    pub unread_timeout: Duration,
    /// How long a client may read nothing of a large response before its connection is closed.
    pub stall_timeout: Duration,
    /// How long calls in flight may take to end after shutdown started.
    pub drain_timeout: Duration,
}

/// Limit on the header list of an HTTP/2 request, in bytes.
const HEAD_BYTES: u32 = 16 << 10;
/// Buffer of an HTTP/1 connection; it also bounds the head of a request.
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
/// Pause after `accept` failed, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Pause before another look at an HTTP/2 preface that has arrived in part, which is rare.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// The first bytes of every HTTP/2 connection (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A running listener.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    ended: JoinHandle<()>,
}

impl Server {
    /// The address of the listener; its port is chosen by the operating system if 0 was configured.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the listener was stopped and every connection has ended or was cut off.
    pub async fn ended(self) {
        if let Err(error) = self.ended.await {
            tracing::error!(%error, address = %self.address, "listener failed");
        }
    }
}

/// Serves a port until `stop`. Then it accepts no connection, lets each connection finish its calls in flight, and cuts off
/// those that have not ended within `drain_timeout`.
///
/// # Errors
/// The listener cannot bind the address.
pub async fn serve<S>(
    address: SocketAddr,
    service: S,
    settings: ServerSettings,
    stop: CancellationToken,
) -> io::Result<Server>
where
    S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let ended = tokio::spawn(accept(listener, service, settings, stop));
    Ok(Server { address, ended })
}

async fn accept<S>(listener: TcpListener, service: S, settings: ServerSettings, stop: CancellationToken)
where
    S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let protocols = Arc::new(Protocols::new(settings));
    let room = Arc::new(Semaphore::new(settings.max_connections));
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    while let Some(Some((stream, permit))) = stop.run_until_cancelled(next(&listener, &room)).await {
        let connection = Arc::clone(&protocols).serve(stream, service.clone(), graceful.watcher(), stop.clone());
        let cut = cut.clone();
        connections.spawn(async move {
            let _held = permit;
            cut.run_until_cancelled(connection).await;
        });
    }
    drop(listener);
    connections.close();
    let ended = async {
        graceful.shutdown().await;
        connections.wait().await;
    };
    if tokio::time::timeout(settings.drain_timeout, ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections did not end in time; cutting them off");
        cut.cancel();
    }
    connections.wait().await;
}

/// The next connection, within the limit on connections.
async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    // Fails only if the semaphore is closed, which never happens.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => return Some((stream, permit)),
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A version of HTTP.
enum Version {
    Http1,
    Http2,
}

/// Serves connections of each HTTP version.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    head_timeout: Duration,
    stall_timeout: Duration,
    early: EarlyAnswers,
}

impl Protocols {
    fn new(settings: ServerSettings) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(settings.head_timeout)
            .max_buf_size(HTTP1_BUFFER_BYTES)
            .keep_alive(true)
            .half_close(false);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_concurrent_streams)
            .max_header_list_size(HEAD_BYTES)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .adaptive_window(false)
            .max_frame_size(FRAME_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_pending_accept_reset_streams(PENDING_RESET_STREAMS)
            .max_local_error_reset_streams(LOCAL_RESET_STREAMS)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        let early = EarlyAnswers { body_bytes: settings.body_bytes as u64, timeout: settings.unread_timeout };
        Self { http1, http2, head_timeout: settings.head_timeout, stall_timeout: settings.stall_timeout, early }
    }

    /// Serves a connection to its end.
    async fn serve<S>(self: Arc<Self>, stream: TcpStream, service: S, watcher: Watcher, stop: CancellationToken)
    where
        S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers may be delayed");
        }
        let version = tokio::time::timeout(self.head_timeout, version(&stream));
        let Some(Ok(Ok(version))) = stop.run_until_cancelled(version).await else { return };
        let (early, ends_unread, answers) = (self.early, EndsUnread::default(), Answers::default());
        let calls = {
            let (ends_unread, answers) = (ends_unread.clone(), answers.clone());
            service_fn(move |mut request| {
                request.extensions_mut().insert(answers.clone());
                early.answer(service.clone(), request, ends_unread.clone())
            })
        };
        let (socket, returned) = linger::lend(stream);
        let socket = TokioIo::new(socket);
        let ended = match version {
            Version::Http1 => {
                let connection = watcher.watch(self.http1.serve_connection(socket, calls));
                unless_stalled(connection, &answers, self.stall_timeout).await
            }
            Version::Http2 => {
                let connection = watcher.watch(self.http2.serve_connection(socket, calls));
                unless_stalled(connection, &answers, self.stall_timeout).await
            }
        };
        let Some(ended) = ended else {
            tracing::info!(timeout = ?self.stall_timeout, "connection closed: the client stopped reading a response");
            // Otherwise the operating system would keep the unsent bytes in its buffers.
            if let Ok(stream) = returned.await {
                let _ = stream.set_zero_linger();
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
        if may_be_sending && let Ok(stream) = returned.await {
            linger::linger(stream).await;
        }
    }
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

#[cfg(test)]
mod tests;
