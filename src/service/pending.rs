//! What the metrics show about writes: the commands that have no answer yet, and the batches that failed.

use std::fmt;
use std::sync::Arc;

use metrics::{Gauge, counter, gauge};

use crate::runtime::telemetry::names;

/// The reasons for which a batch fails; see [`Error::reason`](super::Error::reason).
const REASONS: [&str; 4] = ["DATABASE_UNAVAILABLE", "DATABASE_BUSY", "OUTCOME_UNKNOWN", "INTERNAL"];

/// Counts the commands without an answer. Clones share the count.
#[derive(Clone)]
pub(super) struct PendingCount(Arc<Gauges>);

struct Gauges {
    commands: Gauge,
    bytes: Gauge,
}

/// A command that waits for its commit or is being committed, until it is dropped.
pub(super) struct Pending {
    count: PendingCount,
    bytes: usize,
}

impl PendingCount {
    /// Begins the metrics, so that monitoring sees the first failure as a change.
    pub(super) fn begin() -> Self {
        for reason in REASONS {
            counter!(names::COMMITS_FAILED, "reason" => reason).increment(0);
        }
        let gauges = Gauges { commands: gauge!(names::WRITES_PENDING), bytes: gauge!(names::WRITES_PENDING_BYTES) };
        gauges.commands.increment(0.0);
        gauges.bytes.increment(0.0);
        Self(Arc::new(gauges))
    }

    /// Adds a command that writes so many bytes to the database.
    pub(super) fn add(&self, bytes: usize) -> Pending {
        self.0.commands.increment(1.0);
        self.0.bytes.increment(bytes as f64);
        Pending { count: self.clone(), bytes }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.count.0.commands.decrement(1.0);
        self.count.0.bytes.decrement(self.bytes as f64);
    }
}

impl fmt::Debug for PendingCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCount").finish_non_exhaustive()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::service::Error;
    use crate::store::StoreError;

    #[test]
    fn pending_commands_are_counted_until_they_are_dropped() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let gauges = || {
            let text = recorder.handle().render();
            let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
            (value("cmgate_writes_pending "), value("cmgate_writes_pending_bytes "))
        };
        metrics::with_local_recorder(&recorder, || {
            let count = PendingCount::begin();
            assert_eq!(gauges(), ("0".to_owned(), "0".to_owned()));
            let (first, second) = (count.add(1_000), count.add(24));
            assert_eq!(gauges(), ("2".to_owned(), "1024".to_owned()));
            drop(first);
            assert_eq!(gauges(), ("1".to_owned(), "24".to_owned()));
            drop(second);
            assert_eq!(gauges(), ("0".to_owned(), "0".to_owned()));
        });
    }

    #[test]
    fn failed_batches_have_these_reasons() {
        let error = || sqlx::Error::PoolTimedOut;
        let errors = [
            StoreError::Unavailable(error()),
            StoreError::Busy(error()),
            StoreError::OutcomeUnknown(error()),
            StoreError::Refused(error()),
        ];
        assert_eq!(errors.map(|error| Error::from(Arc::new(error)).reason()), REASONS);
    }
}
