//! A token bucket in whole numbers: nothing is lost or gained by rounding, however many calls it counts.

use std::num::NonZeroU32;

/// What one call takes out of a bucket. A bucket refills by the rate in each nanosecond.
const CALL: u64 = 1_000_000_000;

/// How many calls may begin in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls per second.
    pub per_second: NonZeroU32,
    /// Calls that may begin at once after a pause.
    pub burst: NonZeroU32,
}

/// The calls of one caller, counted against its rate. Over any time `t`, it admits at most `burst + per_second * t` calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// What is missing until the bucket is full; 0 if it is full.
    missing: u64,
    /// When `missing` was computed, in nanoseconds since any origin.
    at: u64,
    /// The rate of refilling since then.
    per_second: u32,
}

impl Bucket {
    /// Takes a call out of the bucket, unless it is empty. Times may run backwards, as those of concurrent calls do.
    pub(super) fn take(&mut self, rate: Rate, now: u64) -> bool {
        self.missing = self.missing_at(now);
        self.at = self.at.max(now);
        self.per_second = rate.per_second.get();
        let taken = self.missing.saturating_add(CALL);
        let fits = taken <= u64::from(rate.burst.get()) * CALL;
        if fits {
            self.missing = taken;
        }
        fits
    }

    /// Whether the bucket is full, so that a new one is the same.
    pub(super) const fn is_full(&self, now: u64) -> bool {
        self.missing_at(now) == 0
    }

    const fn missing_at(&self, now: u64) -> u64 {
        let elapsed = now.saturating_sub(self.at);
        self.missing.saturating_sub(elapsed.saturating_mul(self.per_second as u64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::Strategy;
    use proptest::{collection, prop_assert, prop_assert_eq, proptest};

    use super::{Bucket, NonZeroU32, Rate};

    const SECOND: u64 = 1_000_000_000;

    fn rate(per_second: u32, burst: u32) -> Rate {
        let [per_second, burst] = [per_second, burst].map(|number| NonZeroU32::new(number).unwrap());
        Rate { per_second, burst }
    }

    /// Rates that divide a second, and those that do not.
    fn rates() -> impl Strategy<Value = Rate> {
        (1_u32..2_000, 1_u32..20).prop_map(|(per_second, burst)| rate(per_second, burst))
    }

    /// The times of calls in nanoseconds. The pauses between them are near that of the rate, where rounding would show.
    fn times(rate: Rate) -> impl Strategy<Value = Vec<u64>> {
        let pause = SECOND / u64::from(rate.per_second.get());
        collection::vec((0..4_u64, 0..4_u64), 1..60).prop_map(move |pauses| {
            let mut now = 0;
            pauses
                .into_iter()
                .map(|(part, more)| {
                    now += part * pause / 2 + more;
                    now
                })
                .collect()
        })
    }

    fn cases() -> impl Strategy<Value = (Rate, Vec<u64>)> {
        proptest::prelude::Strategy::prop_flat_map(rates(), |rate| times(rate).prop_map(move |times| (rate, times)))
    }

    /// Whether a call at `now` keeps to the rate after the calls at `admitted`: so many calls in no time `t` exceed
    /// `burst + per_second * t`.
    fn keeps(rate: Rate, admitted: &[u64], now: u64) -> bool {
        let (per_second, burst) = (u128::from(rate.per_second.get()), u128::from(rate.burst.get()));
        admitted.iter().rev().zip(2_u128..).all(|(begin, calls)| {
            let elapsed = u128::from(now - begin);
            calls * u128::from(SECOND) <= burst * u128::from(SECOND) + per_second * elapsed
        })
    }

    proptest! {
        #[test]
        fn a_call_is_admitted_exactly_if_it_keeps_to_the_rate((rate, times) in cases()) {
            let (mut bucket, mut admitted) = (Bucket::default(), Vec::new());
            for now in times {
                prop_assert_eq!(bucket.take(rate, now), keeps(rate, &admitted, now), "{:?} after {:?}", now, admitted);
                if keeps(rate, &admitted, now) {
                    admitted.push(now);
                }
            }
        }

        #[test]
        fn a_caller_below_the_rate_is_never_refused(rate in rates(), more in collection::vec(0..SECOND, 1..100)) {
            let pause = SECOND.div_ceil(u64::from(rate.per_second.get()));
            let (mut bucket, mut now) = (Bucket::default(), 0);
            for more in more {
                prop_assert!(bucket.take(rate, now));
                now += pause + more;
            }
        }

        #[test]
        fn times_that_run_backwards_admit_no_more(rate in rates(), times in collection::vec(0..SECOND, 1..200)) {
            let mut bucket = Bucket::default();
            let admitted = times.iter().filter(|now| bucket.take(rate, **now)).count() as u64;
            let span = times.iter().max().unwrap() - times.iter().min().unwrap();
            let allowed = u64::from(rate.burst.get()) * SECOND + u64::from(rate.per_second.get()) * span;
            prop_assert!(admitted * SECOND <= allowed);
        }
    }

    #[test]
    fn a_bucket_is_full_once_its_calls_are_refilled() {
        let (mut bucket, rate) = (Bucket::default(), rate(3, 2));
        assert!(bucket.is_full(0));
        assert!(bucket.take(rate, 0) && bucket.take(rate, 0) && !bucket.take(rate, 0));
        // Two calls at three per second: 666,666,666.67 ns.
        assert!(!bucket.is_full(666_666_666) && bucket.is_full(666_666_667));
        // A third of a second is not a whole number of nanoseconds; three of them are a second all the same.
        assert!(!bucket.take(rate, 333_333_333) && bucket.take(rate, 333_333_334));
    }

    #[test]
    fn the_largest_numbers_neither_overflow_nor_admit_without_limit() {
        let (mut bucket, rate) = (Bucket::default(), rate(u32::MAX, u32::MAX));
        assert!(bucket.take(rate, u64::MAX) && bucket.take(rate, 0) && bucket.take(rate, u64::MAX));
        let (mut bucket, slow) = (Bucket::default(), self::rate(2, 1));
        assert!(bucket.take(slow, 0) && !bucket.take(slow, 0));
        assert!(bucket.take(slow, 1 << 63), "after 292 years");
    }
}
