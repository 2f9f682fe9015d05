//! A worker: waits for the lock of its partition group, runs one session after another, and reports what stops it.

use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use super::context::Context;
use super::halt::Halt;
use super::kafka::tally;
use super::session::Session;
use super::status::WorkerState;
use super::stop::Ended;
use crate::runtime::telemetry::{error_chain, names};
use crate::store::PartitionGroupLock;

/// Pause between attempts to lock a group that another process holds; bounds how long it lies idle after a kill.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Pause after a failure; doubles with each one in a row, up to the maximum.
const FAILURE_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause after a failure.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Pause before a halted worker checks again whether an operator has resolved the halt.
const HALT_PAUSE: Duration = Duration::from_secs(5);

/// Publishes the shards of one partition group while it holds the group's lock.
pub(super) struct RelayWorker {
    context: Context,
}

impl RelayWorker {
    pub(super) fn new(context: Context) -> Self {
        Self { context }
    }

    /// Runs until the service drains. Blocks, so it needs a thread of its own.
    pub(super) fn run(self) {
        let mut halted = None;
        let mut since = Instant::now();
        self.context.status.set(WorkerState::Waiting, None);
        while !self.context.drain.is_cancelled() {
            match self.context.query(self.context.store.lock_partition_group(self.context.group())) {
                Ok(Some(lock)) => {
                    halted = self.own(&*lock, halted);
                    since = Instant::now();
                    // Release the lock during the pause: another process may be configured correctly.
                    drop(lock);
                    if halted.is_some() {
                        self.pause(HALT_PAUSE);
                    } else {
                        self.context.status.set(WorkerState::Waiting, None);
                    }
                }
                Ok(None) => {
                    self.context.status.leave();
                    // A process that keeps the lock this long is not halted.
                    if halted.is_some() && since.elapsed() > HALT_PAUSE * 2 {
                        halted = None;
                        self.context.status.set(WorkerState::Waiting, None);
                    }
                    self.pause(LOCK_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(
                        group = self.context.group(),
                        error = error_chain(&error),
                        "could not lock the partition group"
                    );
                    self.pause(FAILURE_PAUSE_MAX);
                }
            }
        }
        self.context.status.set(WorkerState::Waiting, None);
    }

    /// Runs sessions until the lock is lost or one halts. A halted worker stays halted until it streams again.
    fn own(&self, lock: &dyn PartitionGroupLock, mut halted: Option<Halt>) -> Option<Halt> {
        let mut pause = FAILURE_PAUSE;
        let mut problem = None;
        while lock.is_held() {
            if halted.is_none() {
                self.context.status.set(WorkerState::Starting, problem.take());
            }
            let ended = Session::run(&self.context, lock, halted.as_ref());
            if self.context.status.state() == WorkerState::Streaming {
                halted = None;
            }
            match ended {
                Ended::Drained => return None,
                Ended::LockLost => {
                    tracing::warn!(group = self.context.group(), "relay worker lost its lock");
                    return halted;
                }
                Ended::Reconnected => pause = FAILURE_PAUSE,
                Ended::FenceRenewal => {
                    metrics::counter!(names::RELAY_FENCE_RENEWALS, "group" => self.context.group().to_string())
                        .increment(1);
                    pause = FAILURE_PAUSE;
                }
                Ended::Halted(halt) => {
                    // The same halt may name other positions than before.
                    let is_known =
                        halted.as_ref().is_some_and(|before| mem::discriminant(before) == mem::discriminant(&halt));
                    if is_known {
                        tracing::debug!(group = self.context.group(), reason = %halt, "relay worker is still halted");
                    } else {
                        halt.count();
                        tracing::error!(group = self.context.group(), reason = %halt, "relay worker halted");
                    }
                    self.context.status.set(WorkerState::Halted, Some(halt.to_string()));
                    return Some(halt);
                }
                Ended::Failed { error, published } => {
                    tally::count_cause(&*error);
                    let error = error_chain(&*error);
                    tracing::warn!(group = self.context.group(), error, "relay worker restarts its session");
                    metrics::counter!(names::RELAY_RESTARTS, "group" => self.context.group().to_string()).increment(1);
                    if halted.is_none() {
                        problem = Some(error);
                        self.context.status.set(WorkerState::Starting, problem.clone());
                    }
                    pause = if published { FAILURE_PAUSE } else { (pause * 2).min(FAILURE_PAUSE_MAX) };
                    if self.context.drain.is_cancelled() {
                        // Keep trying to publish the rest of the log; the shutdown grace period bounds the attempts.
                        thread::sleep(pause);
                    } else {
                        self.pause(pause);
                    }
                }
            }
        }
        halted
    }

    fn pause(&self, duration: Duration) {
        let step = Duration::from_millis(20);
        let mut left = duration;
        while !left.is_zero() && !self.context.drain.is_cancelled() {
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
    }
}
