//! How the lanes are: what readiness and metrics tell, and the watch over what other processes append.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::answer;
use crate::clock::Clock;
use crate::domain::{Position, Shard};
use crate::feed::Feed;
use crate::store::Store;
use crate::telemetry::{error_chain, names};

/// How often metrics are brought up to date.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How seldom the log is looked at while other processes append nothing.
const WATCH_SLOWEST: Duration = Duration::from_millis(16);

/// Pause after the log could not be looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(250);

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
    cursors: Vec<AtomicU64>,
    problem: Mutex<Option<String>>,
}

impl LaneStatus {
    pub(super) fn new(lane: u16, shards: Vec<Shard>) -> Self {
        let cursors = shards.iter().map(|_| AtomicU64::new(0)).collect();
        Self { lane, shards, state: AtomicU8::new(0), cursors, problem: Mutex::new(None) }
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

    /// The last published position of each of its shards.
    pub fn cursors(&self) -> impl Iterator<Item = (Shard, Position)> {
        let cursor = |cursor: &AtomicU64| Position::new(cursor.load(Ordering::Acquire));
        self.shards.iter().copied().zip(self.cursors.iter().map(cursor))
    }

    pub(super) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    pub(super) fn set(&self, state: LaneState, problem: Option<String>) {
        let number = match state {
            LaneState::Waiting => 0,
            LaneState::Starting => 1,
            LaneState::Streaming => 2,
            LaneState::Halted => 3,
        };
        self.state.store(number, Ordering::Release);
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

/// Keeps the metrics of the relay up to date. A lane that another process has is that one's to report.
pub(super) async fn report(store: Arc<dyn Store>, feed: Arc<Feed>, lanes: Vec<Arc<LaneStatus>>, clock: Clock) {
    let mut ticks = tokio::time::interval(REPORT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(heads) = answer::in_time(store.heads()).await {
            feed.observe(&heads);
        }
        let mut oldest = 0.0_f64;
        for lane in lanes.iter().filter(|lane| lane.state() != LaneState::Waiting) {
            for (shard, cursor) in lane.cursors() {
                let head = feed.head(shard);
                let label = shard.to_string();
                metrics::gauge!(names::LOG_POSITION, "shard" => label.clone()).set(head.get() as f64);
                metrics::gauge!(names::RELAY_POSITION, "shard" => label.clone()).set(cursor.get() as f64);
                metrics::gauge!(names::RELAY_LAG_EVENTS, "shard" => label).set(head.since(cursor) as f64);
                if head > cursor
                    && let Ok(Some(at)) = answer::in_time(store.logged_at(shard, cursor)).await
                {
                    let micros = clock.now().micros().saturating_sub(at.micros()).max(0);
                    oldest = oldest.max(micros as f64 / 1e6);
                }
            }
        }
        metrics::gauge!(names::RELAY_LAG_SECONDS).set(oldest);
    }
}
