//! Periodic maintenance of the store, with a clock that tolerates jumps of the system clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::domain::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::{error_chain, names};
use crate::store::Store;

/// How often the store is maintained.
const INTERVAL: Duration = Duration::from_mins(10);

/// How far the clock may run ahead of the elapsed time before that counts as a jump.
const DRIFT: Duration = Duration::from_mins(1);

/// Maintains a store.
pub(super) struct Upkeep {
    store: Arc<dyn Store>,
    clock: Clock,
    keep_keys: Duration,
    steady: Steady,
}

impl Upkeep {
    /// Maintenance of a store that keeps idempotency keys for `keep_keys`.
    pub(super) fn new(store: Arc<dyn Store>, clock: Clock, keep_keys: Duration) -> Self {
        let steady = Steady { reading: clock.now(), at: Instant::now(), jumped: None };
        Self { store, clock, keep_keys, steady }
    }

    /// Maintains the store once. A failure can wait for the next round: a day without its own partition uses the default one.
    pub(super) async fn maintain(&mut self) {
        let now = self.steady.now(self.clock.now(), Instant::now(), self.keep_keys);
        let keys_before = minus(now, self.keep_keys);
        if let Err(error) = self.store.maintain(now, keys_before).await {
            tracing::warn!(error = error_chain(&error), "cannot maintain the database; trying again later");
        }
        let keys = self.store.idempotency_keys().await.ok().flatten();
        // A gauge that is not a number is not rendered.
        metrics::gauge!(names::IDEMPOTENCY_KEYS).set(keys.map_or(f64::NAN, |keys| keys as f64));
    }

    /// Maintains the store forever, starting after one interval, because the startup already maintains it once.
    pub(super) async fn keep_going(mut self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.maintain().await;
        }
    }
}

/// A clock that advances with elapsed time. A clock set ahead would otherwise expire all idempotency keys at once.
struct Steady {
    /// The reading of the clock at `at`.
    reading: Timestamp,
    at: Instant,
    /// When the clock was first seen ahead of the elapsed time.
    jumped: Option<Instant>,
}

impl Steady {
    /// The time, given the reading of the clock at an instant. A jump ahead is accepted once it has lasted for `keep`: every
    /// key that was in use before it has expired by then.
    fn now(&mut self, reading: Timestamp, at: Instant, keep: Duration) -> Timestamp {
        let steady = plus(self.reading, at.saturating_duration_since(self.at));
        if reading <= plus(steady, DRIFT) {
            self.jumped = None;
        } else if at.saturating_duration_since(*self.jumped.get_or_insert(at)) < keep {
            return steady;
        }
        *self = Self { reading, at, jumped: None };
        reading
    }
}

fn plus(time: Timestamp, duration: Duration) -> Timestamp {
    shifted(time, time.micros().saturating_add(micros(duration)))
}

fn minus(time: Timestamp, duration: Duration) -> Timestamp {
    shifted(time, time.micros().saturating_sub(micros(duration)))
}

/// The time at `micros`, or the same time if that is out of range.
fn shifted(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap_or(time)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const KEEP: Duration = Duration::from_hours(24);

    #[test]
    fn a_jump_ahead_is_accepted_after_the_lifetime_of_keys() {
        let (start, at) = (Timestamp::from_micros(1_788_264_000_000_000).unwrap(), Instant::now());
        let mut steady = Steady { reading: start, at, jumped: None };
        assert_eq!(steady.now(plus(start, HOUR), at + HOUR, KEEP), plus(start, HOUR));
        // Some seconds of drift are no jump, nor is a clock that is set back.
        let drifted = plus(start, HOUR * 2 + Duration::from_secs(5));
        assert_eq!(steady.now(drifted, at + HOUR * 2, KEEP), drifted);
        assert_eq!(steady.now(start, at + HOUR * 3, KEEP), start);

        for hours in 4..28 {
            let ahead = plus(start, KEEP + HOUR * hours);
            assert_eq!(steady.now(ahead, at + HOUR * hours, KEEP), plus(start, HOUR * (hours - 3)), "{hours}");
        }
        let ahead = plus(start, KEEP + HOUR * 28);
        assert_eq!(steady.now(ahead, at + HOUR * 28, KEEP), ahead);
    }

    #[test]
    fn a_jump_that_is_reverted_has_no_effect() {
        let (start, at) = (Timestamp::from_micros(1_788_264_000_000_000).unwrap(), Instant::now());
        let mut steady = Steady { reading: start, at, jumped: None };
        assert_eq!(steady.now(plus(start, KEEP), at + HOUR, KEEP), plus(start, HOUR));
        assert_eq!(steady.now(plus(start, HOUR * 30), at + HOUR * 30, KEEP), plus(start, HOUR * 30));
    }
}
