//! The listener of a port: HTTP/1.1 and HTTP/2 on one socket, with or without TLS, explicit limits and graceful shutdown.

mod body;
mod connection;
mod early;
mod fallback;
mod peer;
mod stall;
mod tls;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use metrics::{Gauge, gauge};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Protocols;
use crate::runtime::network::Networks;
use crate::runtime::socket::{Listener, Socket};
use crate::runtime::telemetry::names;
use crate::runtime::tls::Tls;

pub use body::RequestBody;
pub use fallback::{MayUseHttp1, NeedsHttp1};
pub use peer::PeerAddress;
pub use stall::{Answers, Progress};
pub use tls::{CertificateRefused, LocalSocket};

/// Name and limits of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Its name in metrics.
    pub name: &'static str,
    /// Maximum number of connections; more wait in the operating system's backlog.
    pub max_connections: usize,
    /// Age at which a connection ends once its calls are answered, give or take a tenth; `None` for no limit.
    pub connection_age: Option<Duration>,
    /// Maximum number of concurrent TLS handshakes; at the limit, a new one replaces the oldest.
    pub max_handshakes: usize,
    /// Maximum number of concurrent calls per HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// Timeout for the first bytes of a connection, and for the head of each request of an HTTP/1 connection.
    pub head_timeout: Duration,
    /// Limit on the head of a request, in bytes. HTTP/1 accepts at least 32 KiB.
    pub head_bytes: u32,
    /// Limit on a request body, in bytes.
    pub body_bytes: usize,
    /// Timeout for reading and discarding the body of a call that was answered early.
    pub unread_timeout: Duration,
    /// How long a client may read nothing of a large response before its connection is closed.
    pub stall_timeout: Duration,
    /// How long calls in flight may take to end after shutdown started.
    pub drain_timeout: Duration,
}

/// How the connections of a port are protected.
#[derive(Clone, Debug)]
pub enum Security {
    /// Not encrypted, for clients of the same machine.
    Plain,
    /// Not encrypted, and accepted from these networks only: a proxy there terminates TLS.
    Terminated(Networks),
    /// TLS 1.2 or 1.3.
    Tls(Tls),
}

/// The two steps in which a port stops. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// The port will stop: an HTTP/1 connection ends with its next answer, so that its client does not use it when it closes.
    pub soon: CancellationToken,
    /// The port stops.
    pub now: CancellationToken,
}

impl From<CancellationToken> for Stop {
    /// A port that stops without notice.
    fn from(now: CancellationToken) -> Self {
        Self { soon: now.clone(), now }
    }
}

/// Pause after `accept` failed, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running listener.
#[derive(Debug)]
pub struct Server<A = SocketAddr> {
    address: A,
    ended: JoinHandle<()>,
}

impl Server {
    /// The address of the listener; its port is chosen by the operating system if 0 was configured.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl<A: fmt::Debug> Server<A> {
    /// Waits until the listener was stopped and every connection has ended or was cut off.
    pub async fn ended(self) {
        if let Err(error) = self.ended.await {
            tracing::error!(%error, address = ?self.address, "listener failed");
        }
    }
}

/// Serves a port until `stop.now`. Then it accepts no connection, lets each connection finish its calls in flight, and cuts off
/// those that have not ended within `drain_timeout`.
///
/// # Errors
/// The listener cannot bind the address.
pub async fn serve<S>(
    address: SocketAddr,
    service: S,
    settings: ServerSettings,
    security: Security,
    stop: impl Into<Stop>,
) -> io::Result<Server>
where
    S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let protocols = Protocols::new(settings, security);
    let ended = tokio::spawn(accept(Listener::Tcp(listener), service, protocols, settings, stop.into()));
    Ok(Server { address, ended })
}

/// Serves a unix socket in the same manner. Its requests have the extension [`LocalSocket`].
///
/// # Errors
/// The path is in use, or the operating system refuses.
pub fn serve_unix<S>(
    path: &Path,
    service: S,
    settings: ServerSettings,
    stop: impl Into<Stop>,
) -> io::Result<Server<PathBuf>>
where
    S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let listener = Listener::unix(path)?;
    let protocols = Protocols::new(settings, Security::Plain);
    let ended = tokio::spawn(accept(listener, service, protocols, settings, stop.into()));
    Ok(Server { address: path.to_owned(), ended })
}

async fn accept<S>(listener: Listener, service: S, protocols: Protocols, settings: ServerSettings, stop: Stop)
where
    S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let protocols = Arc::new(protocols);
    let room = Arc::new(Semaphore::new(settings.max_connections));
    let open = gauge!(names::CONNECTIONS, "port" => settings.name);
    open.increment(0.0);
    gauge!(names::CONNECTIONS_LIMIT, "port" => settings.name).set(settings.max_connections as f64);
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    while let Some(Some((socket, peer, permit))) =
        stop.now.run_until_cancelled(next(&listener, &room, &protocols)).await
    {
        let connection = Arc::clone(&protocols).serve(socket, peer, service.clone(), stop.clone());
        let cut = cut.clone();
        let counted = Counted::new(open.clone());
        connections.spawn(async move {
            let _held = (permit, counted);
            cut.run_until_cancelled(connection).await;
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(settings.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections did not end in time; cutting them off");
        cut.cancel();
    }
    connections.wait().await;
}

/// An open connection in the metrics, until it is dropped.
struct Counted(Gauge);

impl Counted {
    fn new(open: Gauge) -> Self {
        open.increment(1.0);
        Self(open)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// The next connection, within the limit on connections.
async fn next(
    listener: &Listener,
    room: &Arc<Semaphore>,
    protocols: &Protocols,
) -> Option<(Socket, Option<SocketAddr>, OwnedSemaphorePermit)> {
    // Fails only if the semaphore is closed, which never happens.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((_, Some(peer))) if !protocols.admits(peer.ip()) => protocols.refuse(peer.ip()),
            Ok((socket, peer)) => return Some((socket, peer, permit)),
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
