//! How the lanes are, and the watch over what other processes append.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::answer;
use crate::domain::{Position, Shard};
use crate::feed::Feed;
use crate::runtime::telemetry::{error_chain, names};
use crate::store::Store;

/// How seldom the log is looked at while other processes append nothing.
const WATCH_SLOWEST: Duration = Duration::from_millis(16);

/// Pause after the log could not be looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(250);

/// A position that is not known; no log has it.
const UNKNOWN: u64 = u64::MAX;

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// Another process has the lane, as far as is known.
    Waiting,
    /// It is fencing, reading the tail, or waiting for Kafka.
    Starting,
    /// It publishes.
    Streaming,
    /// It must not go on until an operator has decided.
    Halted,
}

/// The lane of this process, as seen from outside it.
#[derive(Debug)]
pub struct LaneStatus {
    /// Number of the lane.
    pub lane: u16,
    shards: Vec<Shard>,
    state: AtomicU8,
    /// Whether its figures are this process's to show.
    is_shown: AtomicBool,
    cursors: Vec<AtomicU64>,
    problem: Mutex<Option<String>>,
}

impl LaneStatus {
    pub(super) fn new(lane: u16, shards: Vec<Shard>) -> Self {
        let cursors = shards.iter().map(|_| AtomicU64::new(UNKNOWN)).collect();
        Self {
            lane,
            shards,
            state: AtomicU8::new(0),
            is_shown: AtomicBool::new(false),
            cursors,
            problem: Mutex::new(None),
        }
    }

    /// What the lane is doing.
    #[must_use]
    pub fn state(&self) -> LaneState {
        match self.state.load(Ordering::Acquire) {
            0 => LaneState::Waiting,
            1 => LaneState::Starting,
            2 => LaneState::Streaming,
            _ => LaneState::Halted,
        }
    }

    /// What keeps the lane from publishing, if anything does.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last published position of each of its shards, as far as this process knows.
    pub fn cursors(&self) -> impl Iterator<Item = (Shard, Option<Position>)> {
        let known = |cursor: u64| (cursor != UNKNOWN).then(|| Position::new(cursor));
        let cursor = move |cursor: &AtomicU64| known(cursor.load(Ordering::Acquire));
        self.shards.iter().copied().zip(self.cursors.iter().map(cursor))
    }

    pub(super) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Whether this process has the lane, or had it last as far as is known.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown.load(Ordering::Acquire)
    }

    /// Takes note that another process has the lane, whose figures are that one's to show.
    pub(super) fn leave(&self) {
        self.is_shown.store(false, Ordering::Release);
        for cursor in &self.cursors {
            cursor.store(UNKNOWN, Ordering::Release);
        }
    }

    pub(super) fn set(&self, state: LaneState, problem: Option<String>) {
        let number = match state {
            LaneState::Waiting => 0,
            LaneState::Starting => 1,
            LaneState::Streaming => 2,
            LaneState::Halted => 3,
        };
        self.state.store(number, Ordering::Release);
        if state != LaneState::Waiting {
            self.is_shown.store(true, Ordering::Release);
        }
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        metrics::gauge!(names::RELAY_STATE, "lane" => self.lane.to_string()).set(f64::from(number));
    }

    pub(super) fn advance(&self, cursors: impl Iterator<Item = Position>) {
        for (place, cursor) in self.cursors.iter().zip(cursors) {
            place.store(cursor.get(), Ordering::Release);
        }
    }
}

/// Watches the heads of the log for what other processes append, for as long as a lane runs here. While they append
/// nothing, it looks less and less often.
pub(super) async fn watch_log(store: Arc<dyn Store>, feed: Arc<Feed>, lanes: Vec<Arc<LaneStatus>>, interval: Duration) {
    let slowest = WATCH_SLOWEST.max(interval);
    let mut pause = interval;
    loop {
        tokio::time::sleep(pause).await;
        if !lanes.iter().any(|lane| lane.state() == LaneState::Streaming) {
            continue;
        }
        match answer::in_time(store.heads()).await {
            Ok(heads) => {
                pause = if feed.reaches(&heads) { (pause * 2).min(slowest) } else { (pause / 2).max(interval) };
                feed.observe(&heads);
            }
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "the log could not be looked at");
                tokio::time::sleep(WATCH_PAUSE).await;
            }
        }
    }
}
