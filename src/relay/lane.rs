//! A lane: waits for its turn, runs sessions one after the other, and says what holds it up.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::answer;
use super::session::{Ended, Session};
use super::status::{LaneState, LaneStatus};
use super::volume::VolumeLimit;
use crate::feed::Feed;
use crate::kafka::KafkaSettings;
use crate::store::{LaneLock, Store, StoreError};
use crate::telemetry::{error_chain, names};

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
        while !self.drain.is_cancelled() {
            self.status.set(LaneState::Waiting, None);
            match self.ask(self.store.lock_lane(self.status.lane)) {
                Ok(Some(lock)) => self.own(&*lock),
                Ok(None) => self.pause(LOCK_PAUSE),
                Err(error) => {
                    tracing::warn!(lane = self.status.lane, error = error_chain(&error), "relay lane not locked");
                    self.pause(FAILURE_PAUSE_MAX);
                }
            }
        }
        self.status.set(LaneState::Waiting, None);
    }

    /// Runs sessions for as long as the lock is held.
    fn own(&self, lock: &dyn LaneLock) {
        let mut pause = FAILURE_PAUSE;
        let mut problem = None;
        while lock.is_held() {
            self.status.set(LaneState::Starting, problem.take());
            match Session::run(self, lock) {
                Ended::Drained => return,
                Ended::Overtaken => {
                    tracing::warn!(lane = self.status.lane, "relay lane lost its lock");
                    return;
                }
                Ended::Reconnected => pause = FAILURE_PAUSE,
                Ended::Halted(halt) => {
                    let halt = halt.to_string();
                    tracing::error!(lane = self.status.lane, reason = halt, "relay lane halted");
                    self.status.set(LaneState::Halted, Some(halt.clone()));
                    problem = Some(halt);
                    self.pause(HALT_PAUSE);
                    if self.drain.is_cancelled() {
                        return;
                    }
                }
                Ended::Failed { error, published } => {
                    let error = error_chain(&*error);
                    tracing::warn!(lane = self.status.lane, error, "relay lane starts over");
                    metrics::counter!(names::RELAY_RESTARTS, "lane" => self.status.lane.to_string()).increment(1);
                    problem = Some(error);
                    self.status.set(LaneState::Starting, problem.clone());
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
