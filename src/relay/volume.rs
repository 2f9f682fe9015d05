//! The size of transactions: as large as the cluster commits well within their timeout.
//!
//! The limit starts low, doubles while transactions are quick, and halves with slow or failed ones; failures halve it down to a
//! single event. So a slow path gets transactions that end in time, and a worker gets past one that was too large.

use std::time::Duration;

/// Most bytes of a transaction.
const TRANSACTION_BYTES: usize = 4 << 20;
/// Most bytes of the transactions of all workers of a process.
const PROCESS_BYTES: usize = 16 << 20;
/// Least share of a worker, however many there are.
const LEAST_CEILING: usize = 256 << 10;
/// Bytes of the first transaction.
const FIRST_BYTES: usize = 64 << 10;

/// Most bytes of a partition in a transaction, so that its records are one request (1,000,000 bytes for librdkafka and, by
/// default, for the broker). A second one is not sent before the first is answered, and librdkafka spins meanwhile.
const PARTITION_BYTES: usize = 950_000;

/// Transactions that pass before a partition is tried with more bytes than the topic took; doubled by each refusal.
const TRIAL_INTERVAL: u32 = 64;
/// Longest such interval.
const TRIAL_INTERVAL_MAX: u32 = 1 << 16;

/// The size limits of the next transaction. A worker keeps them for as long as its process runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct VolumeLimit {
    bytes: usize,
    ceiling: usize,
    partition_bytes: usize,
    trial_interval: u32,
    until_trial: u32,
    transaction_timeout: Duration,
}

impl VolumeLimit {
    /// The limits of one of so many workers.
    pub(super) fn new(workers: u16, transaction_timeout: Duration) -> Self {
        let share = PROCESS_BYTES / usize::from(workers.max(1));
        Self {
            bytes: FIRST_BYTES,
            ceiling: share.clamp(LEAST_CEILING, TRANSACTION_BYTES),
            partition_bytes: PARTITION_BYTES,
            trial_interval: TRIAL_INTERVAL,
            until_trial: TRIAL_INTERVAL,
            transaction_timeout,
        }
    }

    /// Bytes of a transaction over all partitions.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Most bytes of one partition in a transaction, if they are more than one event.
    pub(super) const fn partition_bytes(&self) -> usize {
        self.partition_bytes
    }

    /// The largest that [`Self::bytes`] becomes.
    pub(super) const fn ceiling(&self) -> usize {
        self.ceiling
    }

    /// Adapts to a committed transaction. Doubling the bytes at most doubles the time, so a transaction that took a quarter of
    /// the timeout leaves room for twice as much. Up to [`FIRST_BYTES`] the time hardly depends on the bytes: on a cluster that
    /// is slow to commit anything, smaller transactions would only be more of them.
    pub(super) fn committed(&mut self, bytes: usize, took: Duration) {
        let quick = if self.bytes < FIRST_BYTES { self.transaction_timeout / 2 } else { self.transaction_timeout / 4 };
        if took < quick && bytes >= self.bytes / 2 {
            self.bytes = self.bytes.saturating_mul(2).min(self.ceiling);
        } else if took > self.transaction_timeout / 2 && self.bytes > FIRST_BYTES {
            self.bytes = (self.bytes.min(bytes) / 2).max(FIRST_BYTES);
        }
        if self.partition_bytes < PARTITION_BYTES {
            self.until_trial -= 1;
            if self.until_trial == 0 {
                self.partition_bytes = self.partition_bytes.saturating_mul(2).min(PARTITION_BYTES);
                self.until_trial = self.trial_interval;
            }
        }
    }

    /// Adapts to a failed transaction: the next one is half as large, down to a single event.
    pub(super) fn failed(&mut self, bytes: usize) {
        self.bytes = (self.bytes.min(bytes) / 2).max(1);
    }

    /// Adapts to a broker that refused a batch of this size.
    pub(super) fn refused(&mut self, partition_bytes: usize) {
        self.partition_bytes = (self.partition_bytes.min(partition_bytes) / 2).max(1);
        self.trial_interval = (self.trial_interval * 2).min(TRIAL_INTERVAL_MAX);
        self.until_trial = self.trial_interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(8);
    const QUICK: Duration = Duration::from_millis(10);
    /// Size of an event: a transaction has one at least.
    const EVENT_BYTES: usize = 1_000;

    /// What became of a number of transactions.
    #[derive(Default)]
    struct Outcome {
        published_bytes: usize,
        aborted_bytes: usize,
        failures: usize,
    }

    /// Publishes from an endless backlog to a cluster that takes so many bytes a second, after `latency`.
    fn publish(limit: &mut VolumeLimit, bytes_per_second: usize, latency: Duration, transactions: usize) -> Outcome {
        let mut outcome = Outcome::default();
        for _ in 0..transactions {
            let bytes = limit.bytes().max(EVENT_BYTES);
            let took = latency + Duration::from_millis((bytes * 1_000 / bytes_per_second) as u64);
            if took > TIMEOUT {
                outcome.failures += 1;
                outcome.aborted_bytes += bytes;
                limit.failed(bytes);
            } else {
                outcome.published_bytes += bytes;
                limit.committed(bytes, took);
            }
        }
        outcome
    }

    #[test]
    fn a_slow_path_costs_no_failure_and_a_fast_one_gets_the_largest_transactions() {
        let mut limit = VolumeLimit::new(2, TIMEOUT);
        let slow = publish(&mut limit, 100_000, QUICK, 100);
        assert_eq!(slow.failures, 0);
        assert!(slow.published_bytes >= 100 * FIRST_BYTES, "{}", slow.published_bytes);
        publish(&mut limit, 1_000_000_000, QUICK, 10);
        assert_eq!(limit.bytes(), TRANSACTION_BYTES);
        // A path that becomes slow costs a few failures, once, and they waste less than twice the largest transaction.
        let slowed = publish(&mut limit, 100_000, QUICK, 100);
        assert!((1..=4).contains(&slowed.failures), "{}", slowed.failures);
        assert!(slowed.aborted_bytes < 2 * TRANSACTION_BYTES, "{}", slowed.aborted_bytes);
        assert_eq!(publish(&mut limit, 100_000, QUICK, 100).failures, 0);
    }

    #[test]
    fn transactions_grow_again_although_each_of_them_takes_long() {
        for latency in [TIMEOUT / 8, TIMEOUT / 3, TIMEOUT * 4 / 9] {
            let mut limit = VolumeLimit::new(2, TIMEOUT);
            for _ in 0..30 {
                limit.failed(limit.bytes());
            }
            let outcome = publish(&mut limit, 1_000_000, latency, 30);
            assert_eq!(outcome.failures, 0, "{latency:?}");
            assert!(limit.bytes() >= FIRST_BYTES, "{latency:?}: {limit:?}");
        }
    }

    #[test]
    fn slow_commits_alone_lead_to_no_small_transactions() {
        let mut limit = VolumeLimit::new(2, TIMEOUT);
        assert_eq!(publish(&mut limit, 1_000_000_000, TIMEOUT * 3 / 4, 100).failures, 0);
        assert_eq!(limit.bytes(), FIRST_BYTES);
    }

    #[test]
    fn failures_lead_to_single_events_and_commits_back() {
        let mut limit = VolumeLimit::new(2, TIMEOUT);
        publish(&mut limit, 1_000_000_000, QUICK, 20);
        for _ in 0..30 {
            limit.failed(limit.bytes());
        }
        assert_eq!(limit.bytes(), 1);
        for _ in 0..30 {
            limit.committed(limit.bytes().max(500), QUICK);
        }
        assert_eq!(limit.bytes(), TRANSACTION_BYTES);
    }

    #[test]
    fn small_transactions_do_not_raise_the_limit() {
        let mut limit = VolumeLimit::new(2, TIMEOUT);
        for _ in 0..100 {
            limit.committed(1_000, QUICK);
        }
        assert_eq!(limit.bytes(), FIRST_BYTES);
    }

    #[test]
    fn workers_share_the_memory_of_the_process() {
        for workers in 1..=64_u16 {
            let total = VolumeLimit::new(workers, TIMEOUT).ceiling() * usize::from(workers);
            assert!(total <= PROCESS_BYTES, "{workers} workers: {total}");
        }
    }

    #[test]
    fn a_topic_that_takes_less_is_tried_with_more_ever_more_seldom() {
        const TOPIC_BYTES: usize = 100_000;
        let mut limit = VolumeLimit::new(2, TIMEOUT);
        let mut refusals = 0;
        for _ in 0..10_000 {
            if limit.partition_bytes() > TOPIC_BYTES {
                refusals += 1;
                limit.refused(limit.partition_bytes());
            } else {
                limit.committed(1_000, QUICK);
            }
        }
        assert!((4..=12).contains(&refusals), "{refusals}");
        assert!(limit.partition_bytes() > TOPIC_BYTES / 4, "{limit:?}");
        for _ in 0..30 {
            limit.refused(limit.partition_bytes());
        }
        assert_eq!(limit.partition_bytes(), 1);
    }
}
