//! Closed-loop load: so many callers, each with its next call as soon as the last is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    /// Calls answered.
    pub(crate) calls: usize,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// The time of each call, in ascending order.
    latencies: Vec<Duration>,
}

impl Run {
    /// Calls a second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64()
    }

    /// The time within which so many of a thousand calls were answered.
    pub(crate) fn permille(&self, permille: usize) -> Duration {
        let at = (self.latencies.len() * permille / 1_000).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Lets each caller call for a time. The first fifth of it warms up and does not count.
pub(crate) async fn closed_loop<C, F>(callers: Vec<C>, time: Duration, call: F) -> Run
where
    C: Send + 'static,
    F: AsyncCall<C>,
{
    let (counts, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        let (counts, stop, call) = (Arc::clone(&counts), Arc::clone(&stop), call.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                call.call(&mut caller).await;
                if counts.load(Ordering::Relaxed) {
                    latencies.push(begun.elapsed());
                }
            }
            latencies
        });
    }
    tokio::time::sleep(time / 5).await;
    counts.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    tokio::time::sleep(time * 4 / 5).await;
    let elapsed = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    latencies.sort_unstable();
    Run { calls: latencies.len(), elapsed, latencies }
}

/// One call of one caller.
pub(crate) trait AsyncCall<C>: Clone + Send + 'static {
    /// Makes the call and waits for its answer.
    fn call(&self, caller: &mut C) -> impl Future<Output = ()> + Send;
}
