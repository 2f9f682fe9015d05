//! A proxy between the service and a server that cuts a connection at an exact message of the protocol.
//!
//! It reads both directions message by message. A trap names a message; the proxy discards the first one that matches and cuts
//! the connection, so a request never reaches the server or an answer never reaches the client. The proxy can also stop
//! forwarding without closing, as a broken network does, or forward slowly.

mod accepted;
mod link;
mod wire;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::support::servers::ProxiedListener;
use crate::support::wait::PATIENCE;

pub(super) use wire::{Api, Protocol, ProxyEvent};

/// What happens when the message of a trap arrives.
#[derive(Clone, Copy, Debug)]
pub(super) enum FaultAction {
    /// Its connection is cut.
    Cut,
    /// Every connection is cut.
    CutAll,
    /// The client is disconnected, and the server gets the message after a delay.
    DeliverLate(Duration),
    /// The client is told that every batch was accepted, also those that were refused for their epoch. Stays until the next trap.
    ReportAccepted,
}

/// A proxy that runs until this value is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    listening: AbortHandle,
}

struct Shared {
    protocol: Protocol,
    server: SocketAddr,
    trap: Mutex<Option<Trap>>,
    is_refusing: AtomicBool,
    throttle: Mutex<Throttle>,
    /// Cancelled when the current links must stall.
    silence: Mutex<CancellationToken>,
    links: Mutex<JoinSet<()>>,
}

/// Bandwidth limit of all connections together.
#[derive(Default)]
struct Throttle {
    bytes_per_second: Option<u64>,
    /// Time at which all bytes forwarded so far will have been sent.
    busy_until: Option<Instant>,
    /// Bytes forwarded.
    passed: u64,
}

struct Trap {
    event: ProxyEvent,
    action: FaultAction,
    sprung: Option<oneshot::Sender<()>>,
}

/// A trap that waits for its message.
pub(super) struct ArmedTrap(oneshot::Receiver<()>);

impl ArmedTrap {
    /// Waits until the trap is sprung.
    pub(super) async fn sprung(self) {
        let sprung = tokio::time::timeout(PATIENCE, self.0).await;
        sprung.expect("under load, every message occurs").expect("the proxy is running");
    }
}

impl Proxy {
    /// Puts a proxy before Kafka, at the address that the broker advertises.
    pub(super) async fn before_kafka() -> Self {
        let ProxiedListener { advertised, listens } = ProxiedListener::kafka();
        Self::start(Protocol::Kafka, advertised, listens).await
    }

    /// Bytes forwarded while throttled.
    pub(super) fn passed(&self) -> u64 {
        self.shared.throttle.lock().unwrap().passed
    }

    /// Puts a proxy in front of a server.
    pub(super) async fn start(protocol: Protocol, listen: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            protocol,
            server,
            trap: Mutex::default(),
            is_refusing: AtomicBool::new(false),
            throttle: Mutex::default(),
            silence: Mutex::default(),
            links: Mutex::default(),
        });
        let listening = tokio::spawn(listen_on(listener, Arc::clone(&shared))).abort_handle();
        Self { address, shared, listening }
    }

    /// Sets a trap for the next message of a kind.
    pub(super) fn set(&self, event: ProxyEvent, action: FaultAction) -> ArmedTrap {
        let (sprung, receiver) = oneshot::channel();
        *self.shared.trap.lock().unwrap() = Some(Trap { event, action, sprung: Some(sprung) });
        ArmedTrap(receiver)
    }

    /// Cuts every connection.
    pub(super) fn cut_all(&self) {
        self.shared.cut_all();
    }

    /// Stalls the current connections without closing them; new ones are served.
    pub(super) fn fall_silent(&self) {
        std::mem::take(&mut *self.shared.silence.lock().unwrap()).cancel();
    }

    /// Limits the bandwidth of both directions together.
    pub(super) fn throttle(&self, bytes_per_second: Option<u64>) {
        *self.shared.throttle.lock().unwrap() = Throttle { bytes_per_second, ..Throttle::default() };
    }

    /// Cuts every connection and refuses new ones, until called with `false`.
    pub(super) fn refuse(&self, refuses: bool) {
        self.shared.is_refusing.store(refuses, Ordering::Release);
        if refuses {
            self.cut_all();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut_all();
    }
}

impl Shared {
    fn cut_all(&self) {
        self.links.lock().unwrap().abort_all();
    }

    /// Waits until so many bytes can be sent.
    async fn wait_for_room(&self, bytes: usize) {
        let until = {
            let mut throttle = self.throttle.lock().unwrap();
            let Some(rate) = throttle.bytes_per_second else { return };
            let begin = throttle.busy_until.unwrap_or_else(Instant::now).max(Instant::now());
            let until = begin + Duration::from_micros(bytes as u64 * 1_000_000 / rate);
            throttle.busy_until = Some(until);
            throttle.passed += bytes as u64;
            until
        };
        tokio::time::sleep_until(until.into()).await;
    }

    /// Removes the trap that a message springs.
    fn springs(&self, event: ProxyEvent) -> Option<FaultAction> {
        let mut trap = self.trap.lock().unwrap();
        let sprung = trap.as_mut().filter(|trap| trap.event == event)?;
        let action = sprung.action;
        if let Some(sprung) = sprung.sprung.take() {
            // The test may not wait for it.
            let _ = sprung.send(());
        }
        if !matches!(action, FaultAction::ReportAccepted) {
            *trap = None;
        }
        Some(action)
    }
}

async fn listen_on(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // The client may have disconnected before it was accepted.
        let Ok((client, _)) = listener.accept().await else { continue };
        if shared.is_refusing.load(Ordering::Acquire) {
            continue;
        }
        let _ = client.set_nodelay(true);
        let (link, silence) = (Arc::clone(&shared), shared.silence.lock().unwrap().clone());
        let mut links = shared.links.lock().unwrap();
        while links.try_join_next().is_some() {}
        links.spawn(async move { link::run(client, &link, silence).await });
    }
}

/// A connection to the server; `None` if it is unreachable, and then the client is disconnected.
async fn connect(server: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(server).await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}
