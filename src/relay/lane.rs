//! A lane: waits for its turn, runs sessions one after the other, and says what holds it up.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::answer;
use super::halt::Halt;
use super::session::Session;
use super::status::{LaneState, LaneStatus};
use super::stop::Ended;
use super::volume::VolumeLimit;
use crate::feed::Feed;
use crate::kafka::KafkaSettings;
use crate::runtime::telemetry::{error_chain, names};
use crate::store::{LaneLock, Store, StoreError};

/// Pause between tries for a lane that another process has; bounds how long a lane lies idle after a kill.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Pause after a failure: doubled with each in a row, up to the limit.
const FAILURE_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause after a failure.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Pause before a halted lane looks again whether an operator has decided.
const HALT_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Lane {
    pub(super) store: Arc<dyn Store>,
    pub(super) feed: Arc<Feed>,
    pub(super) kafka: KafkaSettings,
    pub(super) status: Arc<LaneStatus>,
    pub(super) drain: CancellationToken,
    /// What the lane has learned about the cluster, over all sessions.
    pub(super) volume: Cell<VolumeLimit>,
    pub(super) runtime: Handle,
}

impl Lane {
    pub(super) fn run(self) {
        let mut halted = None;
        let mut since = Instant::now();
        self.status.set(LaneState::Waiting, None);
        while !self.drain.is_cancelled() {
            match self.ask(self.store.lock_lane(self.status.lane)) {
                Ok(Some(lock)) => {
                    halted = self.own(&*lock, halted);
                    since = Instant::now();
                    // Without the lock, so that another process can try, which may be configured better.
                    drop(lock);
                    if halted.is_some() {
                        self.pause(HALT_PAUSE);
                    } else {
                        self.status.set(LaneState::Waiting, None);
                    }
                }
                Ok(None) => {
                    self.status.leave();
                    // Whoever has the lock for long is not halted.
                    if halted.is_some() && since.elapsed() > HALT_PAUSE * 2 {
                        halted = None;
                        self.status.set(LaneState::Waiting, None);
                    }
                    self.pause(LOCK_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(lane = self.status.lane, error = error_chain(&error), "relay lane not locked");
                    self.pause(FAILURE_PAUSE_MAX);
                }
            }
        }
        self.status.set(LaneState::Waiting, None);
    }

    /// Runs sessions for as long as the lock is held and nothing halts them. A lane that has halted stays so until it streams.
    fn own(&self, lock: &dyn LaneLock, mut halted: Option<Halt>) -> Option<Halt> {
        let mut pause = FAILURE_PAUSE;
        let mut problem = None;
        while lock.is_held() {
            if halted.is_none() {
                self.status.set(LaneState::Starting, problem.take());
            }
            let ended = Session::run(self, lock, halted.as_ref());
            if self.status.state() == LaneState::Streaming {
                halted = None;
            }
            match ended {
                Ended::Drained => return None,
                Ended::Overtaken => {
                    tracing::warn!(lane = self.status.lane, "relay lane lost its lock");
                    return halted;
                }
                Ended::Reconnected => pause = FAILURE_PAUSE,
                Ended::Halted(halt) => {
                    // Positions in it may grow all the while.
                    let is_known =
                        halted.as_ref().is_some_and(|before| mem::discriminant(before) == mem::discriminant(&halt));
                    if is_known {
                        tracing::debug!(lane = self.status.lane, reason = %halt, "relay lane is still halted");
                    } else {
                        tracing::error!(lane = self.status.lane, reason = %halt, "relay lane halted");
                    }
                    self.status.set(LaneState::Halted, Some(halt.to_string()));
                    return Some(halt);
                }
                Ended::Failed { error, published } => {
                    let error = error_chain(&*error);
                    tracing::warn!(lane = self.status.lane, error, "relay lane starts over");
                    metrics::counter!(names::RELAY_RESTARTS, "lane" => self.status.lane.to_string()).increment(1);
                    if halted.is_none() {
                        problem = Some(error);
                        self.status.set(LaneState::Starting, problem.clone());
                    }
                    pause = if published { FAILURE_PAUSE } else { (pause * 2).min(FAILURE_PAUSE_MAX) };
                    if self.drain.is_cancelled() {
                        // The rest of the log is still to be published; the grace of the shutdown bounds the attempts.
                        thread::sleep(pause);
                    } else {
                        self.pause(pause);
                    }
                }
            }
        }
        halted
    }

    /// Asks the store, but not for ever.
    pub(super) fn ask<T>(&self, question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.runtime.block_on(answer::in_time(question))
    }

    fn pause(&self, duration: Duration) {
        let step = Duration::from_millis(20);
        let mut left = duration;
        while !left.is_zero() && !self.drain.is_cancelled() {
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
    }
}
