//! Adaptive concurrency: how many workers the writer uses.
//!
//! A transaction costs the database about as much as five of its members. Under light load one worker is best, since its batches
//! grow while it commits; under heavy load several workers commit in parallel. Any worker can run any command: a shard stays with
//! one worker only to avoid waits for the locks of another.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::Shard;

/// Average batch size from which one more worker is used.
const SCALE_UP_THRESHOLD: f64 = 96.0;
/// Average batch size up to which one worker less is used.
const SCALE_DOWN_THRESHOLD: f64 = 16.0;
/// Weight of the latest batch in the moving average.
const AVERAGE_WEIGHT: f64 = 0.125;

/// How many of the workers are in use.
#[derive(Debug)]
pub(super) struct Concurrency {
    workers: usize,
    used: AtomicUsize,
}

/// Moving average of the batch sizes of one worker.
#[derive(Debug)]
pub(super) struct AverageBatch {
    mean: f64,
}

impl Concurrency {
    /// Starts with one of so many workers in use.
    pub(super) const fn new(workers: usize) -> Self {
        Self { workers, used: AtomicUsize::new(1) }
    }

    /// The worker for a shard.
    pub(super) fn worker_of(&self, shard: Shard) -> usize {
        shard.index() % self.used.load(Ordering::Relaxed)
    }

    /// Uses all workers, because the queue of one is full.
    pub(super) fn scale_up(&self) {
        self.used.store(self.workers, Ordering::Relaxed);
    }

    /// Records a batch of a worker and adjusts the number of workers in use.
    pub(super) fn record(&self, average: &mut AverageBatch, members: usize) {
        average.mean += AVERAGE_WEIGHT * (members as f64 - average.mean);
        let used = self.used.load(Ordering::Relaxed);
        let better = match average.mean {
            mean if mean >= SCALE_UP_THRESHOLD => (used + 1).min(self.workers),
            mean if mean <= SCALE_DOWN_THRESHOLD => (used - 1).max(1),
            _ => used,
        };
        if better != used {
            // Batch sizes change with the number of workers, so the average starts over. If another worker has changed the number
            // in the meantime, its change stays.
            *average = AverageBatch::default();
            let _ = self.used.compare_exchange(used, better, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

impl Default for AverageBatch {
    fn default() -> Self {
        Self { mean: f64::midpoint(SCALE_DOWN_THRESHOLD, SCALE_UP_THRESHOLD) }
    }
}

#[cfg(test)]
mod tests {
    use super::{AverageBatch, Concurrency};
    use crate::domain::Shard;

    fn used(concurrency: &Concurrency) -> usize {
        (0..64).map(|shard| concurrency.worker_of(Shard::new(shard))).max().unwrap() + 1
    }

    /// Records batches of one size from one worker; returns the number of workers in use afterwards.
    fn run_batches(concurrency: &Concurrency, batches: usize, members: usize) -> usize {
        let mut average = AverageBatch::default();
        (0..batches).for_each(|_| concurrency.record(&mut average, members));
        used(concurrency)
    }

    #[test]
    fn large_batches_scale_up_and_small_ones_scale_down() {
        let concurrency = Concurrency::new(4);
        assert_eq!(used(&concurrency), 1);
        assert_eq!(run_batches(&concurrency, 100, 50), 1);
        assert_eq!(run_batches(&concurrency, 100, 500), 4);
        assert_eq!(run_batches(&concurrency, 100, 50), 4);
        assert_eq!(run_batches(&concurrency, 100, 1), 1);
    }

    #[test]
    fn a_single_batch_changes_nothing() {
        let concurrency = Concurrency::new(4);
        let mut average = AverageBatch::default();
        for members in [1, 200, 1, 60, 2, 100].into_iter().cycle().take(600) {
            concurrency.record(&mut average, members);
            assert_eq!(used(&concurrency), 1, "{average:?}");
        }
        concurrency.scale_up();
        concurrency.record(&mut AverageBatch::default(), 1);
        assert_eq!(used(&concurrency), 4);
    }

    #[test]
    fn a_single_worker_is_always_used() {
        let concurrency = Concurrency::new(1);
        assert_eq!((run_batches(&concurrency, 100, 500), run_batches(&concurrency, 100, 1)), (1, 1));
        concurrency.scale_up();
        assert_eq!(used(&concurrency), 1);
    }
}
