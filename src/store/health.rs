//! Whether a store can write, judged by its recent writes: the last failure counts until a write succeeds.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Committed, StoreError};
use crate::runtime::telemetry::error_chain;

/// How long a failed write counts before a probe. A probe is small and may succeed where a real write finds no space.
const HOLD: Duration = Duration::from_secs(2);

/// The last failed write, if no write has succeeded since.
#[derive(Debug)]
pub(super) struct WriteHealth {
    last: Mutex<Option<Failed>>,
    /// Whether a lock timeout counts: where one lock covers the whole database, nothing can be written without it.
    counts_busy: bool,
}

#[derive(Debug)]
struct Failed {
    at: Instant,
    why: String,
}

/// A commit in progress. Dropping it before its end counts as a failure.
pub(super) struct Attempt<'h> {
    health: &'h WriteHealth,
    is_open: bool,
}

/// What the last write shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No write has failed since the last success.
    Healthy,
    /// A write failed within `HOLD`, for this reason.
    Failed(String),
    /// A write failed longer ago: try a no-op write.
    Probe,
}

impl WriteHealth {
    /// For a database with row locks.
    pub(super) fn with_row_locks() -> Self {
        Self { last: Mutex::default(), counts_busy: false }
    }

    /// For a database with a single lock.
    pub(super) fn with_one_lock() -> Self {
        Self { last: Mutex::default(), counts_busy: true }
    }

    /// Starts to track the commit of a batch.
    pub(super) fn attempt(&self) -> Attempt<'_> {
        Attempt { health: self, is_open: true }
    }

    /// Records a successful write.
    pub(super) fn succeeded(&self) {
        *self.lock() = None;
    }

    /// Records a failed write whose cause lies in the database.
    pub(super) fn failed(&self, error: &dyn std::error::Error) {
        self.remember(error_chain(error));
    }

    /// Records a write that failed because of the database, and returns the outcome.
    pub(super) fn note<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome
            && error.is_transient()
            && (self.counts_busy || !matches!(error, StoreError::Busy(_)))
        {
            self.failed(error);
        }
        outcome
    }

    /// What the last write shows.
    pub(super) fn verdict(&self) -> Verdict {
        match &*self.lock() {
            None => Verdict::Healthy,
            Some(failed) if failed.at.elapsed() < HOLD => Verdict::Failed(failed.why.clone()),
            Some(_) => Verdict::Probe,
        }
    }

    fn remember(&self, why: String) {
        *self.lock() = Some(Failed { at: Instant::now(), why });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Failed>> {
        // Each change of the value is one assignment, so a panic elsewhere cannot have left it inconsistent.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// Ends the attempt with its outcome. A batch that wrote nothing proves nothing.
    pub(super) fn end(mut self, outcome: Result<Committed, StoreError>) -> Result<Committed, StoreError> {
        self.is_open = false;
        if outcome.as_ref().is_ok_and(|committed| !committed.writes.is_empty()) {
            self.health.succeeded();
        }
        self.health.note(outcome)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.health.remember("a commit was not answered in time".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Writes;

    fn full() -> StoreError {
        StoreError::Unavailable(sqlx::Error::Protocol("disk full".to_owned()))
    }

    #[test]
    fn a_failed_write_is_remembered_until_one_succeeds() {
        let health = WriteHealth::with_row_locks();
        assert_eq!(health.verdict(), Verdict::Healthy);
        assert!(health.attempt().end(Err(full())).is_err());
        let nothing = Committed { writes: Writes::default(), events: Vec::new() };
        let Verdict::Failed(why) = health.verdict() else { panic!("{health:?}") };
        assert!(why.ends_with("disk full"), "{why}");
        assert!(health.attempt().end(Ok(nothing)).is_ok());
        assert_ne!(health.verdict(), Verdict::Healthy, "a batch that wrote nothing proves nothing");
        health.succeeded();
        assert_eq!(health.verdict(), Verdict::Healthy);
    }

    #[test]
    fn a_commit_that_is_given_up_counts_as_failed() {
        let health = WriteHealth::with_row_locks();
        drop(health.attempt());
        assert!(matches!(health.verdict(), Verdict::Failed(_)));
    }

    #[test]
    fn a_refused_statement_or_a_row_lock_timeout_does_not_count() {
        let health = WriteHealth::with_row_locks();
        for error in [StoreError::Refused(sqlx::Error::RowNotFound), StoreError::Busy(sqlx::Error::PoolTimedOut)] {
            assert!(health.attempt().end(Err(error)).is_err());
            assert_eq!(health.verdict(), Verdict::Healthy);
        }
        let health = WriteHealth::with_one_lock();
        assert!(health.attempt().end(Err(StoreError::Busy(sqlx::Error::PoolTimedOut))).is_err());
        assert_ne!(health.verdict(), Verdict::Healthy);
    }
}
