//! Over how many lanes the writer spreads its work.
//!
//! A transaction costs the database about as much as five of its members, so few callers are served best by one lane, whose
//! batches grow while it is busy; many are served by more lanes at once. Any lane may carry out any command: that one lane has
//! a shard to itself only spares it waiting for another's locks.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::Shard;

/// Members of a batch, in the mean, from which on one more lane is used.
const CROWDED: f64 = 96.0;
/// Members of a batch, in the mean, up to which one lane less is used.
const SPARSE: f64 = 16.0;
/// What the newest batch counts in the mean.
const NEWEST: f64 = 0.125;

/// How many lanes are used, of those that there are.
#[derive(Debug)]
pub(super) struct Spread {
    lanes: usize,
    used: AtomicUsize,
}

/// How large the batches of one lane are.
#[derive(Debug)]
pub(super) struct Crowd {
    mean: f64,
}

impl Spread {
    /// One lane is used of so many.
    pub(super) const fn over(lanes: usize) -> Self {
        Self { lanes, used: AtomicUsize::new(1) }
    }

    /// The lane for a shard.
    pub(super) fn lane_of(&self, shard: Shard) -> usize {
        shard.index() % self.used.load(Ordering::Relaxed)
    }

    /// Uses every lane, since one is full.
    pub(super) fn widen(&self) {
        self.used.store(self.lanes, Ordering::Relaxed);
    }

    /// Takes note of a batch of a lane.
    pub(super) fn note(&self, crowd: &mut Crowd, members: usize) {
        crowd.mean += NEWEST * (members as f64 - crowd.mean);
        let used = self.used.load(Ordering::Relaxed);
        let better = match crowd.mean {
            mean if mean >= CROWDED => (used + 1).min(self.lanes),
            mean if mean <= SPARSE => (used - 1).max(1),
            _ => used,
        };
        if better != used {
            // From here on the batches are others. If another lane was quicker, its word holds.
            *crowd = Crowd::default();
            let _ = self.used.compare_exchange(used, better, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

impl Default for Crowd {
    fn default() -> Self {
        Self { mean: f64::midpoint(SPARSE, CROWDED) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Crowd, Spread};
    use crate::domain::Shard;

    fn used(spread: &Spread) -> usize {
        (0..64).map(|shard| spread.lane_of(Shard::new(shard))).max().unwrap() + 1
    }

    /// Has a lane carry out batches of a size.
    fn carry_out(spread: &Spread, batches: usize, members: usize) -> usize {
        let mut crowd = Crowd::default();
        (0..batches).for_each(|_| spread.note(&mut crowd, members));
        used(spread)
    }

    #[test]
    fn large_batches_are_spread_and_small_ones_gathered_again() {
        let spread = Spread::over(4);
        assert_eq!(used(&spread), 1);
        assert_eq!(carry_out(&spread, 100, 50), 1);
        assert_eq!(carry_out(&spread, 100, 500), 4);
        assert_eq!(carry_out(&spread, 100, 50), 4);
        assert_eq!(carry_out(&spread, 100, 1), 1);
    }

    #[test]
    fn a_single_batch_changes_nothing() {
        let spread = Spread::over(4);
        let mut crowd = Crowd::default();
        for members in [1, 200, 1, 60, 2, 100].into_iter().cycle().take(600) {
            spread.note(&mut crowd, members);
            assert_eq!(used(&spread), 1, "{crowd:?}");
        }
        spread.widen();
        spread.note(&mut Crowd::default(), 1);
        assert_eq!(used(&spread), 4);
    }

    #[test]
    fn one_lane_is_always_the_one() {
        let spread = Spread::over(1);
        assert_eq!((carry_out(&spread, 100, 500), carry_out(&spread, 100, 1)), (1, 1));
        spread.widen();
        assert_eq!(used(&spread), 1);
    }
}
