//! A proxy in front of the broker that holds bytes back, delivers half a request, and cuts connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longest time that bytes are held.
const HOLD_MAX_MILLIS: u64 = 2_500;

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    /// Of a thousand chunks that clients send, how many are held.
    noise: AtomicU64,
    held: AtomicU64,
    random: Mutex<fastrand::Rng>,
    links: Mutex<Vec<watch::Sender<bool>>>,
}

impl Proxy {
    /// Listens on a port of this machine and forwards to another one.
    pub(crate) async fn start(from: u16, to: u16, seed: u64, noise: u64) -> Self {
        // The one before may take a moment to end.
        let mut bound = TcpListener::bind(("127.0.0.1", from)).await;
        for _ in 0..100 {
            if bound.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                bound = TcpListener::bind(("127.0.0.1", from)).await;
            }
        }
        let listener = bound.unwrap();
        let shared = Arc::new(Shared {
            noise: AtomicU64::new(noise),
            held: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            links: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                    let (cut, mut is_cut) = watch::channel(false);
                    shared.links.lock().unwrap().push(cut);
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    let answers = tokio::spawn(forward(from_server, to_client));
                    // What a client sent arrives, also late and also if the client is gone; only a cut loses it.
                    tokio::select! {
                        () = deliver(from_client, to_server, &shared) => {}
                        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
                    }
                    answers.abort();
                });
            }
        });
        Self { shared, listening }
    }

    /// Cuts one of the newest connections.
    pub(crate) fn cut_one(&self) {
        let mut links = self.shared.links.lock().unwrap();
        links.retain(|link| !link.is_closed());
        if !links.is_empty() {
            let index = self.shared.random.lock().unwrap().usize(..links.len());
            links.swap_remove(index).send_replace(true);
        }
    }

    /// Chunks that were held.
    pub(crate) fn held(&self) -> u64 {
        self.shared.held.load(Ordering::SeqCst)
    }

    /// Forwards without faults from now on.
    pub(crate) fn calm(&self) {
        self.shared.noise.store(0, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn deliver(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let hold = {
            let mut random = shared.random.lock().unwrap();
            let is_hit = random.u64(..1_000) < shared.noise.load(Ordering::SeqCst);
            is_hit.then(|| (random.usize(..length), Duration::from_millis(random.u64(50..HOLD_MAX_MILLIS))))
        };
        let sent = match hold {
            None => to.write_all(&chunk[..length]).await,
            Some((first, pause)) => {
                shared.held.fetch_add(1, Ordering::SeqCst);
                let sent = to.write_all(&chunk[..first]).await;
                tokio::time::sleep(pause).await;
                match sent {
                    Ok(()) => to.write_all(&chunk[first..length]).await,
                    failed => failed,
                }
            }
        };
        if sent.is_err() {
            break;
        }
    }
}
