//! The state of the workers, and the watch for events of other processes.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::group::PartitionGroup;
use super::timeout::with_timeout;
use crate::domain::{Position, Shard};
use crate::feed::Feed;
use crate::runtime::telemetry::{error_chain, names};
use crate::store::Store;

/// Longest interval between two looks at the log ends, while other processes append nothing.
const WATCH_SLOWEST: Duration = Duration::from_millis(16);

/// Pause after a failed look.
const WATCH_PAUSE: Duration = Duration::from_millis(250);

/// Stands for a position that is not known; no log reaches it.
const UNKNOWN: u64 = u64::MAX;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It waits for the lock of its group, which another process holds as far as is known.
    Waiting,
    /// It fences, reads the tails, or waits for Kafka.
    Starting,
    /// It owns its partitions and publishes their events.
    Streaming,
    /// It must not publish until an operator has resolved the halt.
    Halted,
}

/// A worker of this process, seen from outside its thread.
#[derive(Debug)]
pub struct WorkerStatus {
    /// The partitions that it publishes while it holds their lock.
    pub group: PartitionGroup,
    state: AtomicU8,
    /// Whether this process exports its metrics.
    is_shown: AtomicBool,
    cursors: Vec<AtomicU64>,
    problem: Mutex<Option<String>>,
    /// When the current session began to fence its predecessors, if it relies on the age of its fence.
    fenced_since: Mutex<Option<Instant>>,
}

impl WorkerStatus {
    pub(super) fn new(group: PartitionGroup) -> Self {
        let cursors = group.shards.iter().map(|_| AtomicU64::new(UNKNOWN)).collect();
        Self {
            group,
            state: AtomicU8::new(0),
            is_shown: AtomicBool::new(false),
            cursors,
            problem: Mutex::default(),
            fenced_since: Mutex::default(),
        }
    }

    /// What the worker is doing.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        match self.state.load(Ordering::Acquire) {
            0 => WorkerState::Waiting,
            1 => WorkerState::Starting,
            2 => WorkerState::Streaming,
            _ => WorkerState::Halted,
        }
    }

    /// Why the worker does not publish, if something prevents it.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last published position of each of its shards, as far as this process knows.
    pub fn cursors(&self) -> impl Iterator<Item = (Shard, Option<Position>)> {
        let known = |cursor: u64| (cursor != UNKNOWN).then(|| Position::new(cursor));
        let cursor = move |cursor: &AtomicU64| known(cursor.load(Ordering::Acquire));
        self.group.shards.iter().copied().zip(self.cursors.iter().map(cursor))
    }

    /// Whether this process owns the group, or was the last one known to own it.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown.load(Ordering::Acquire)
    }

    /// Notes that another process owns the group and exports its metrics.
    pub(super) fn leave(&self) {
        self.is_shown.store(false, Ordering::Release);
        for cursor in &self.cursors {
            cursor.store(UNKNOWN, Ordering::Release);
        }
    }

    pub(super) fn set(&self, state: WorkerState, problem: Option<String>) {
        let number = match state {
            WorkerState::Waiting => 0,
            WorkerState::Starting => 1,
            WorkerState::Streaming => 2,
            WorkerState::Halted => 3,
        };
        self.state.store(number, Ordering::Release);
        if state != WorkerState::Waiting {
            self.is_shown.store(true, Ordering::Release);
        }
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        metrics::gauge!(names::RELAY_STATE, "group" => self.group.number.to_string()).set(f64::from(number));
    }

    /// Age of the fence of the current session, if there is one.
    pub(super) fn fence_age(&self) -> Option<Duration> {
        self.fenced_since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    pub(super) fn set_fenced_since(&self, since: Option<Instant>) {
        *self.fenced_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(super) fn advance(&self, cursors: impl Iterator<Item = Position>) {
        for (place, cursor) in self.cursors.iter().zip(cursors) {
            place.store(cursor.get(), Ordering::Release);
        }
    }
}

/// Polls the log ends for events of other processes while a worker streams here, less often while there are none.
pub(super) async fn watch_log(
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    workers: Vec<Arc<WorkerStatus>>,
    interval: Duration,
) {
    let slowest = WATCH_SLOWEST.max(interval);
    let mut pause = interval;
    loop {
        tokio::time::sleep(pause).await;
        if !workers.iter().any(|worker| worker.state() == WorkerState::Streaming) {
            continue;
        }
        match with_timeout(store.log_ends()).await {
            Ok(log_ends) => {
                pause = if feed.reaches(&log_ends) { (pause * 2).min(slowest) } else { (pause / 2).max(interval) };
                feed.observe(&log_ends);
            }
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "could not read the log ends");
                tokio::time::sleep(WATCH_PAUSE).await;
            }
        }
    }
}
