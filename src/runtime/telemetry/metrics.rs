//! Records the metrics of the process, and renders them for Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_process::Collector;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::names::{Kind, METRICS};

/// Interval of upkeep, which bounds the memory of samples that nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Why the metrics could not be started.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The bounds of a histogram are not valid.
    #[error("the bounds of a histogram are not valid")]
    Bounds(#[from] BuildError),
    /// This process already has a metrics recorder.
    #[error("the metrics are started already")]
    Taken,
}

/// The metrics of this process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    prometheus: PrometheusHandle,
    /// Reads processor time, memory, threads and open files: the metrics `process_*`.
    process: Arc<Collector>,
}

impl Metrics {
    /// Starts recording the metrics of this process.
    ///
    /// # Errors
    /// The metrics are started already.
    pub fn start() -> Result<Self, MetricsError> {
        let recorder = recorder()?;
        let prometheus = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Taken)?;
        let metrics = Self::of(prometheus);
        metrics.describe();
        Ok(metrics)
    }

    fn of(prometheus: PrometheusHandle) -> Self {
        Self { prometheus, process: Arc::default() }
    }

    /// Describes every metric, and begins those without labels, so that monitoring sees the first change as one.
    fn describe(&self) {
        for metric in METRICS {
            let (name, unit, help) = (metric.name, metric.unit, metric.help());
            let has_labels = !metric.labels.is_empty();
            match metric.kind {
                Kind::Counter => {
                    describe_counter!(name, unit, help);
                    if !has_labels {
                        metrics::counter!(name).increment(0);
                    }
                }
                // A gauge is absent until its value is known.
                Kind::Gauge => describe_gauge!(name, unit, help),
                Kind::Histogram(_) => {
                    describe_histogram!(name, unit, help);
                    if !has_labels {
                        let _begun = metrics::histogram!(name);
                    }
                }
            }
        }
        self.process.describe();
    }

    /// All metrics in the text format of Prometheus. A gauge that is NaN has no known value and is left out: as a sample it would
    /// make every sum over processes NaN.
    #[must_use]
    pub fn render(&self) -> String {
        self.process.collect();
        let text = self.prometheus.render();
        text.split_inclusive('\n').filter(|line| !line.trim_end().ends_with(" NaN")).collect()
    }

    /// Bounds the memory of the recorder until `end` is cancelled.
    pub async fn upkeep(self, end: CancellationToken) {
        while end.run_until_cancelled(tokio::time::sleep(UPKEEP_INTERVAL)).await.is_some() {
            self.prometheus.run_upkeep();
        }
    }
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
        }
    }
    Ok(builder.build_recorder())
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::telemetry::names;

    #[test]
    fn metrics_are_rendered_with_help_and_bounds() {
        let recorder = recorder().unwrap();
        let metrics = Metrics::of(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            metrics.describe();
            metrics::counter!(names::CALLS, "method" => "CreateRequest", "outcome" => "ok").increment(2);
            metrics::gauge!(names::LOG_POSITION, "shard" => "3").set(17.0);
            metrics::histogram!(names::COMMIT_SECONDS).record(Duration::from_micros(150));
            metrics::histogram!(names::BATCH_SIZE).record(512.0);
        });
        let text = metrics::with_local_recorder(&recorder, || metrics.render());
        for line in [
            "# HELP cmgate_log_position Last position of each shard of the event log. Absent while unknown. The same in all processes \
             of a database.",
            "cmgate_connections_refused_total 0",
            "cmgate_batch_size_count 1",
            "# TYPE process_cpu_seconds_total counter",
            "# TYPE cmgate_calls_total counter",
            "cmgate_calls_total{method=\"CreateRequest\",outcome=\"ok\"} 2",
            "cmgate_log_position{shard=\"3\"} 17",
            "cmgate_commit_seconds_bucket{le=\"0.0001\"} 0",
            "cmgate_commit_seconds_bucket{le=\"0.0002\"} 1",
            "cmgate_batch_size_bucket{le=\"256\"} 0",
            "cmgate_batch_size_bucket{le=\"512\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn an_unknown_gauge_is_not_rendered() {
        let recorder = recorder().unwrap();
        let metrics = Metrics::of(recorder.handle());
        let render = |value: f64| {
            metrics::with_local_recorder(&recorder, || metrics::gauge!(names::RELAY_LAG_SECONDS).set(value));
            metrics.render().lines().any(|line| line.starts_with("cmgate_relay_lag_seconds "))
        };
        assert!(render(0.0));
        assert!(!render(f64::NAN));
        assert!(render(2.5));
    }

    #[tokio::test]
    async fn upkeep_ends_when_cancelled() {
        let metrics = Metrics::of(recorder().unwrap().handle());
        let end = CancellationToken::new();
        end.cancel();
        metrics.upkeep(end).await;
    }
}
