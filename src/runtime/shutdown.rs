//! The end of the process: told by a signal, carried out in a fixed order, bounded in time.
//!
//! The order of a drain, each step after the one before:
//! 1. the soft token is cancelled: readiness says no, and streams to callers end;
//! 2. nothing new is accepted: listeners close, connections finish what they carry;
//! 3. what is under way is answered, and with its last handle dropped the writer ends;
//! 4. the relay publishes what the log holds, writes its checkpoints and releases its locks;
//! 5. the store closes.
//!
//! The hard token cuts short whatever still waits. Nothing is lost by that: an unanswered call is one whose outcome the
//! caller does not know, and what the relay did not publish is published by the next process.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, Stream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two tokens by which everything in the process learns that it has to end. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// A process that goes on until somebody ends it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process is to end: finish what is under way, take nothing new.
    #[must_use]
    pub const fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when there is no time left: drop what is under way.
    #[must_use]
    pub const fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Begins the end from within, for example because a task that the service cannot do without has died.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Listens for SIGTERM and SIGINT. The first begins the end; a second one, or the end of `grace` after the beginning,
    /// leaves no time. Signals count from the call on, the future has to be driven by a task and ends with the hard token.
    ///
    /// # Errors
    /// The operating system refuses the signal handlers.
    pub fn on_signals(&self, grace: Duration) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let terminate = stream_of(signal(SignalKind::terminate())?, "SIGTERM");
        let interrupt = stream_of(signal(SignalKind::interrupt())?, "SIGINT");
        Ok(self.clone().follow(stream::select(terminate, interrupt), grace))
    }

    async fn follow(self, signals: impl Stream<Item = &'static str>, grace: Duration) {
        let mut signals = pin!(signals);
        tokio::select! {
            Some(signal) = signals.next() => tracing::info!(signal, ?grace, "stopping"),
            () = self.soft.cancelled() => tracing::info!(?grace, "stopping"),
        }
        self.soft.cancel();
        tokio::select! {
            Some(signal) = signals.next() => tracing::warn!(signal, "stopping at once, asked a second time"),
            () = tokio::time::sleep(grace) => tracing::warn!(?grace, "stopping at once, the grace is over"),
        }
        self.hard.cancel();
    }
}

fn stream_of(mut signal: Signal, name: &'static str) -> impl Stream<Item = &'static str> + Send {
    stream::poll_fn(move |context| signal.poll_recv(context).map(|received| received.map(|()| name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    fn started(grace: Duration) -> (Shutdown, futures::channel::mpsc::UnboundedSender<&'static str>) {
        let (sender, signals) = futures::channel::mpsc::unbounded();
        let shutdown = Shutdown::new();
        tokio::spawn(shutdown.clone().follow(signals, grace));
        (shutdown, sender)
    }

    #[tokio::test]
    async fn the_first_signal_is_soft_and_the_second_hard() {
        let (shutdown, signals) = started(LONG);
        signals.unbounded_send("SIGTERM").unwrap();
        shutdown.soft().cancelled().await;
        assert!(!shutdown.hard().is_cancelled());
        signals.unbounded_send("SIGINT").unwrap();
        shutdown.hard().cancelled().await;
    }

    #[tokio::test]
    async fn the_end_of_the_grace_is_hard() {
        let (shutdown, signals) = started(Duration::from_millis(1));
        signals.unbounded_send("SIGTERM").unwrap();
        shutdown.hard().cancelled().await;
        assert!(shutdown.soft().is_cancelled());
    }

    #[tokio::test]
    async fn an_end_from_within_has_the_same_grace() {
        let (shutdown, _signals) = started(Duration::from_millis(1));
        assert!(!shutdown.soft().is_cancelled());
        shutdown.begin();
        shutdown.hard().cancelled().await;
    }

    #[tokio::test]
    async fn a_real_signal_arrives() {
        let shutdown = Shutdown::new();
        tokio::spawn(shutdown.on_signals(LONG).unwrap());
        let own_id = std::process::id().to_string();
        let sent = std::process::Command::new("sh").args(["-c", "kill -TERM $0", &own_id]).status().unwrap();
        assert!(sent.success());
        shutdown.soft().cancelled().await;
    }
}
