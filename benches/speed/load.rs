//! Load: callers in a closed loop, or calls at a fixed rate in an open loop.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long a load runs before the measurement starts.
const WARM_UP: Duration = Duration::from_secs(1);

/// The result of a closed-loop load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured<T> {
    /// Calls per second that ended during the measurement.
    pub(crate) rate: f64,
    /// Calls that ended during the measurement.
    pub(crate) calls: f64,
    /// Observations at the start and at the end of the measurement.
    pub(crate) observed: (T, T),
}

/// Runs `number` callers in closed loops. `caller` creates a caller, `call` makes its next call, and `observe` samples the called
/// process.
pub(crate) async fn callers<C, F, T>(
    number: usize,
    duration: Duration,
    caller: impl Fn(usize) -> C,
    call: fn(C) -> F,
    observe: impl Fn() -> T,
) -> Measured<T>
where
    C: Send + 'static,
    F: Future<Output = C> + Send + 'static,
{
    let answered = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for index in 0..number {
        let (answered, stop, mut caller) = (Arc::clone(&answered), Arc::clone(&stop), caller(index));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                caller = call(caller).await;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let before = (Instant::now(), answered.load(Ordering::Relaxed), observe());
    tokio::time::sleep(duration).await;
    let after = (Instant::now(), answered.load(Ordering::Relaxed), observe());
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let calls = (after.1 - before.1) as f64;
    Measured { rate: calls / (after.0 - before.0).as_secs_f64(), calls, observed: (before.2, after.2) }
}

/// Calls at a fixed rate without waiting for earlier calls. Returns each result with the time at which its call was due, so a
/// delay also counts for the calls queued behind it.
pub(crate) async fn steady<F, T>(
    rate: f64,
    duration: Duration,
    call: impl Fn(usize) -> F + Send + 'static,
) -> Vec<(Instant, T)>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (sender, mut ended) = mpsc::unbounded_channel();
    let runtime = Handle::current();
    // A separate thread, because timers of the runtime have a resolution of one millisecond.
    let pacer = thread::spawn(move || {
        let begin = Instant::now();
        for nth in 0.. {
            let due = begin + Duration::from_secs_f64(nth as f64 / rate);
            if due - begin > duration {
                return;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let (sender, calling) = (sender.clone(), call(nth));
            runtime.spawn(async move {
                // The receiver lives until the last sender is dropped.
                let _ = sender.send((due, calling.await));
            });
        }
    });
    let mut results = Vec::new();
    while let Some(result) = ended.recv().await {
        results.push(result);
    }
    pacer.join().unwrap();
    results
}

/// The quantile of durations, in milliseconds.
pub(crate) fn quantile(durations: &mut [Duration], quantile: f64) -> f64 {
    durations.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a length")]
    let at = ((durations.len() as f64 * quantile) as usize).min(durations.len() - 1);
    durations[at].as_secs_f64() * 1e3
}
