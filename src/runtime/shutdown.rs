//! Graceful shutdown: started by a signal, run in a fixed order, bounded in time.
//!
//! The steps, one after the other:
//! 1. the leaving token is cancelled: readiness and health turn off, and calls are still served until the delay is over;
//! 2. the soft token is cancelled: listeners close, streams to callers end, and connections finish their calls in progress;
//! 3. the writer answers its remaining commands and ends once its last handle is dropped;
//! 4. the relay publishes the rest of the log, writes its checkpoints and releases its locks;
//! 5. the store closes.
//!
//! The hard token aborts the remaining steps. Nothing is lost: an unanswered call has an unknown outcome, and the next process
//! publishes the remaining events.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, Stream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the steps of a shutdown may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownTimes {
    /// How long calls are still served after readiness has turned off, so that load balancers notice.
    pub delay: Duration,
    /// How long the drain after that may take.
    pub grace: Duration,
}

/// The tokens that stop the process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    leaving: CancellationToken,
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// Tokens that are not cancelled yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process will stop soon: report that it is not ready, but continue to serve.
    #[must_use]
    pub const fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Cancelled when the process should stop: finish work in progress, accept no new work.
    #[must_use]
    pub const fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when no time is left: drop work in progress.
    #[must_use]
    pub const fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Starts a shutdown without a signal and without a delay, for example because an essential task has died.
    pub fn begin(&self) {
        self.leaving.cancel();
        self.soft.cancel();
    }

    /// Listens for SIGTERM and SIGINT. The first signal cancels the leaving token and, after the delay, the soft token; a second
    /// signal, or the end of the grace after the soft token was cancelled, cancels the hard token. This call installs the handlers;
    /// the returned future must run in a task and ends when it cancels the hard token.
    ///
    /// # Errors
    /// The operating system refuses the signal handlers.
    pub fn on_signals(&self, times: ShutdownTimes) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let terminate = stream_of(signal(SignalKind::terminate())?, "SIGTERM");
        let interrupt = stream_of(signal(SignalKind::interrupt())?, "SIGINT");
        Ok(self.clone().follow(stream::select(terminate, interrupt), times))
    }

    async fn follow(self, signals: impl Stream<Item = &'static str>, ShutdownTimes { delay, grace }: ShutdownTimes) {
        let mut signals = pin!(signals);
        tokio::select! {
            Some(signal) = signals.next() => tracing::info!(signal, ?delay, ?grace, "stopping"),
            () = self.soft.cancelled() => tracing::info!(?grace, "stopping"),
        }
        self.leaving.cancel();
        let second = tokio::select! {
            Some(signal) = signals.next() => Some(signal),
            () = tokio::time::sleep(delay) => None,
            () = self.soft.cancelled() => None,
        };
        self.soft.cancel();
        if let Some(signal) = second {
            tracing::warn!(signal, "second signal, stopping immediately");
        } else {
            tokio::select! {
                Some(signal) = signals.next() => tracing::warn!(signal, "second signal, stopping immediately"),
                () = tokio::time::sleep(grace) => tracing::warn!(?grace, "grace period expired, stopping immediately"),
            }
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
    const AT_ONCE: Duration = Duration::from_millis(1);

    fn started(delay: Duration, grace: Duration) -> (Shutdown, futures::channel::mpsc::UnboundedSender<&'static str>) {
        let (sender, signals) = futures::channel::mpsc::unbounded();
        let shutdown = Shutdown::new();
        tokio::spawn(shutdown.clone().follow(signals, ShutdownTimes { delay, grace }));
        (shutdown, sender)
    }

    #[tokio::test]
    async fn the_first_signal_is_soft_after_the_delay_and_the_second_hard() {
        let (shutdown, signals) = started(AT_ONCE, LONG);
        signals.unbounded_send("SIGTERM").unwrap();
        shutdown.soft().cancelled().await;
        assert!(shutdown.leaving().is_cancelled() && !shutdown.hard().is_cancelled());
        signals.unbounded_send("SIGINT").unwrap();
        shutdown.hard().cancelled().await;
    }

    #[tokio::test]
    async fn during_the_delay_the_process_is_leaving_and_a_second_signal_is_hard() {
        let (shutdown, signals) = started(LONG, LONG);
        signals.unbounded_send("SIGTERM").unwrap();
        shutdown.leaving().cancelled().await;
        assert!(!shutdown.soft().is_cancelled());
        signals.unbounded_send("SIGTERM").unwrap();
        shutdown.hard().cancelled().await;
        assert!(shutdown.soft().is_cancelled());
    }

    #[tokio::test]
    async fn the_end_of_the_grace_is_hard() {
        let (shutdown, signals) = started(AT_ONCE, AT_ONCE);
        signals.unbounded_send("SIGTERM").unwrap();
        shutdown.hard().cancelled().await;
        assert!(shutdown.soft().is_cancelled());
    }

    #[tokio::test]
    async fn a_shutdown_without_a_signal_has_the_same_grace_and_no_delay() {
        let (shutdown, _signals) = started(LONG, AT_ONCE);
        assert!(!shutdown.leaving().is_cancelled());
        shutdown.begin();
        shutdown.hard().cancelled().await;
        assert!(shutdown.leaving().is_cancelled());
    }

    #[tokio::test]
    async fn a_real_signal_arrives() {
        let shutdown = Shutdown::new();
        tokio::spawn(shutdown.on_signals(ShutdownTimes { delay: AT_ONCE, grace: LONG }).unwrap());
        let own_id = std::process::id().to_string();
        let sent = std::process::Command::new("sh").args(["-c", "kill -TERM $0", &own_id]).status().unwrap();
        assert!(sent.success());
        shutdown.soft().cancelled().await;
    }
}
