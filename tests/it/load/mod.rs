//! Load: clients take requests through the life cycle over gRPC and REST, retry failed calls with the same key, and record what
//! was acknowledged.

mod call;
mod client;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::audit::Acknowledged;
use crate::support::wait::PATIENCE;
use client::LoadClient;

/// Pause before a failed call is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The instances that clients may call at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Mutex<Vec<SocketAddr>>>);

impl Addresses {
    pub(crate) fn set(&self, addresses: Vec<SocketAddr>) {
        *self.0.lock().unwrap() = addresses;
    }

    fn choose(&self, rng: &mut Rng) -> Option<SocketAddr> {
        let addresses = self.0.lock().unwrap();
        (!addresses.is_empty()).then(|| addresses[rng.usize(..addresses.len())])
    }
}

/// An acknowledged write with its idempotency key.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) key: String,
    pub(crate) request: Uuid,
    pub(crate) version: u32,
}

impl Answered {
    /// The write in the form of the auditor.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        Acknowledged { request: self.request, version: self.version }
    }
}

/// The results of the calls of all clients together.
#[derive(Debug, Default)]
struct Tally {
    answered: Mutex<Vec<Answered>>,
    /// Calls whose outcome was reported as unknown.
    unknown: AtomicUsize,
    /// Calls that had no effect.
    failed: AtomicUsize,
}

/// Running clients.
pub(crate) struct Load {
    tally: Arc<Tally>,
    stop: CancellationToken,
    /// Cancelled by a client that detects a defect.
    broken: CancellationToken,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts the clients.
    pub(crate) fn start(clients: usize, addresses: &Addresses, mut rng: Rng) -> Self {
        let (stop, broken) = (CancellationToken::new(), CancellationToken::new());
        let mut load = Self { tally: Arc::default(), stop, broken, clients: JoinSet::new() };
        for _ in 0..clients {
            let (tally, stop) = (Arc::clone(&load.tally), load.stop.clone());
            let client = LoadClient::new(addresses.clone(), tally, rng.fork());
            let guard = load.broken.clone().drop_guard();
            load.clients.spawn(async move {
                // A call in progress when the load ends is abandoned; its answer is discarded.
                let _ = stop.run_until_cancelled(client.work()).await;
                guard.disarm();
            });
        }
        load
    }

    /// Number of changes acknowledged so far.
    pub(crate) fn count(&self) -> usize {
        self.tally.answered.lock().unwrap().len()
    }

    /// Number of calls so far whose outcome is unknown.
    pub(crate) fn unknown(&self) -> usize {
        self.tally.unknown.load(Ordering::Acquire)
    }

    /// Waits until this many more changes are acknowledged.
    pub(crate) async fn progress(&self, more: usize) {
        let wanted = self.count() + more;
        self.wait("more writes are acknowledged", || self.count() >= wanted).await;
    }

    /// Waits until more calls than `before` have an unknown outcome.
    pub(crate) async fn wait_for_unknown(&self, before: usize) {
        self.wait("a caller was told that an outcome is unknown", || self.unknown() > before).await;
    }

    /// Waits until another call fails.
    pub(crate) async fn wait_for_failure(&self) {
        let before = self.tally.failed.load(Ordering::Acquire);
        self.wait("a call fails", || self.tally.failed.load(Ordering::Acquire) > before).await;
    }

    async fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                assert!(!self.broken.is_cancelled(), "a client reported a defect above");
                tokio::time::sleep(RETRY_PAUSE / 4).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not true after {PATIENCE:?}: {what}");
    }

    /// Stops the clients and returns the acknowledged writes.
    pub(crate) async fn stop(mut self) -> Vec<Answered> {
        self.stop.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.tally.answered.lock().unwrap())
    }
}
