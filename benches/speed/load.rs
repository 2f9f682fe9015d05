//! Load: callers in a closed loop, or calls at a fixed rate.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long a load runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// What a load of callers came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured<T> {
    /// Calls that ended in the time measured, per second.
    pub(crate) rate: f64,
    /// Their number.
    pub(crate) calls: f64,
    /// What was observed at the begin and at the end of the time measured.
    pub(crate) observed: (T, T),
}

/// Has callers call for a while. Each is made by `caller`, and its calls by `call`; `observe` looks at the process that
/// is called.
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

/// Calls at a fixed rate, whether or not the earlier ones are answered, and gives what each came to with the time at which
/// it was due. A delay of one call so shows in those behind it, too.
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
    // A thread of its own: the timers of the runtime count in milliseconds.
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
                // The receiver waits until the last sender is gone.
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

/// The part `quantile` of durations that is not exceeded, in milliseconds.
pub(crate) fn quantile(durations: &mut [Duration], quantile: f64) -> f64 {
    durations.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let at = ((durations.len() as f64 * quantile) as usize).min(durations.len() - 1);
    durations[at].as_secs_f64() * 1e3
}
