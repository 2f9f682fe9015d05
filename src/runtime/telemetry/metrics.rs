//! The metrics: their descriptions, and the rendering for Prometheus.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::names;

/// Interval of upkeep, which bounds the memory of samples that nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Bounds in seconds: from a commit on a fast disk to longer than any caller waits.
const SECONDS: [f64; 16] =
    [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Bounds in commands: up to the largest batch.
const COMMANDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

struct Metric {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    help: &'static str,
}

const METRICS: [Metric; 33] = [
    Metric {
        name: names::CALLS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Calls answered, by method and outcome.",
    },
    Metric {
        name: names::CALL_SECONDS,
        kind: Kind::Histogram(&SECONDS),
        unit: Unit::Seconds,
        help: "Time to answer a call, by method and outcome.",
    },
    Metric {
        name: names::BATCH_SIZE,
        kind: Kind::Histogram(&COMMANDS),
        unit: Unit::Count,
        help: "Commands in a committed batch.",
    },
    Metric {
        name: names::COMMIT_SECONDS,
        kind: Kind::Histogram(&SECONDS),
        unit: Unit::Seconds,
        help: "Time of a batch's transaction, from its begin to the answer to its commit.",
    },
    Metric {
        name: names::LOG_POSITION,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Last position of each shard of the event log; the same in all processes.",
    },
    Metric {
        name: names::RELAY_POSITION,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Last published position of each shard, from the checkpoint until the relay reads the topic; only in the process that publishes the shard.",
    },
    Metric {
        name: names::RELAY_LAG_EVENTS,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Events of each shard that wait to be published; only in the process that publishes the shard, and absent while unknown.",
    },
    Metric {
        name: names::RELAY_LAG_SECONDS,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Age of the oldest event that waits to be published, over the shards that this process publishes; absent if there are none or the age is unknown. Over all processes: max().",
    },
    Metric {
        name: names::RELAY_STATE,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "State of the relay worker of each partition group: 0 waiting for its lock, 1 starting, 2 streaming, 3 halted.",
    },
    Metric {
        name: names::RELAY_RESTARTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Sessions that the relay worker of each partition group began again after a failure.",
    },
    Metric {
        name: names::RELAY_PUBLISHING,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "1 for the mode in which this process publishes: transactions or fenced.",
    },
    Metric {
        name: names::RELAY_FENCE_AGE_SECONDS,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Age of the fence of each partition group that this process publishes with kafka.publish = \"fenced\"; renewed after an hour, and not relied on after two. Absent while there is none.",
    },
    Metric {
        name: names::RELAY_FENCE_RENEWALS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Sessions of each partition group that ended because their fence was due for renewal.",
    },
    Metric {
        name: names::KAFKA_REQUESTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Requests of the fenced publisher, by broker, API and outcome: answered, malformed, lost (the connection) or timed_out.",
    },
    Metric {
        name: names::KAFKA_SENT_BYTES,
        kind: Kind::Counter,
        unit: Unit::Bytes,
        help: "Bytes that the fenced publisher sent to each broker.",
    },
    Metric {
        name: names::KAFKA_RECEIVED_BYTES,
        kind: Kind::Counter,
        unit: Unit::Bytes,
        help: "Bytes that the fenced publisher received from each broker.",
    },
    Metric {
        name: names::KAFKA_APPEND_SECONDS,
        kind: Kind::Histogram(&SECONDS),
        unit: Unit::Seconds,
        help: "Time until a broker acknowledged the batches of a request of the fenced publisher.",
    },
    Metric {
        name: names::CALLS_NOT_AUTHENTICATED,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Calls refused because their caller was not authenticated, by the check that failed; no_token: the call had no bearer token.",
    },
    Metric {
        name: names::CALLS_OVER_LIMIT,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Calls refused because their caller exceeded its limit, by the entry that proved its identity (none: no entry) and by limit: rate or calls in flight.",
    },
    Metric {
        name: names::IGNORED_TOKEN_MEMBERS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Tokens with a header member that names or carries a key (jku, jwk, x5u, x5c), which is ignored.",
    },
    Metric {
        name: names::UNKNOWN_KEY_IDS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Tokens with a key id that the key set of their issuer did not have when they arrived.",
    },
    Metric {
        name: names::KEY_SET_READS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Reads of the key set of each issuer, by result: ok, or why the last set stays in force.",
    },
    Metric {
        name: names::KEY_SET_AGE_SECONDS,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Time since the key set of each issuer was last read; after a day it is no longer used. Absent until the first read.",
    },
    Metric {
        name: names::CONNECTIONS_REFUSED,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Connections refused because their address is not in tls.terminated.",
    },
    Metric {
        name: names::DENIED_ENTRIES,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Entries of the list of denied tokens in force.",
    },
    Metric {
        name: names::IDENTITY_HEADERS_DROPPED,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Calls with identity headers on a connection that is not that of the trusted proxy; the headers were dropped.",
    },
    Metric {
        name: names::TEMPLATE_VERSION,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Version of each profile template in force.",
    },
    Metric {
        name: names::FILE_RELOADS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Attempts to apply a changed file, by the key that names it and by result; after a failure the last good content stays in force.",
    },
    Metric {
        name: names::FILE_AGE_SECONDS,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Time since the content in force of a file was confirmed, by the key that names it; it grows while the file cannot be used.",
    },
    Metric {
        name: names::TLS_HANDSHAKES,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "TLS handshakes, by port, result, and the CA that issued the client certificate.",
    },
    Metric {
        name: names::TLS_RELOADS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Attempts to apply changed TLS files, by port and result; after a failure the old files stay in force.",
    },
    Metric {
        name: names::TLS_SECONDS_LEFT,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Time until each certificate or CRL in force expires, negative afterwards, by port, kind and name.",
    },
    Metric {
        name: names::TLS_EXPIRY,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "When each certificate or CRL in force expires, in seconds since 1970, by port, kind and name.",
    },
];

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
#[derive(Clone, Debug)]
pub struct Metrics {
    prometheus: PrometheusHandle,
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
        describe();
        Ok(Self { prometheus })
    }

    /// All metrics in the text format of Prometheus. A gauge that is NaN has no known value and is left out: as a sample it would
    /// make every sum over processes NaN.
    #[must_use]
    pub fn render(&self) -> String {
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

fn describe() {
    for Metric { name, kind, unit, help } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(name, unit, help),
            Kind::Gauge => describe_gauge!(name, unit, help),
            Kind::Histogram(_) => describe_histogram!(name, unit, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_described_once() {
        let named: Vec<&str> = include_str!("names.rs").lines().filter_map(|line| line.split('"').nth(1)).collect();
        let described: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(described, named);
    }

    #[test]
    fn metrics_are_rendered_with_help_and_bounds() {
        let recorder = recorder().unwrap();
        let metrics = Metrics { prometheus: recorder.handle() };
        metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::counter!(names::CALLS, "method" => "CreateRequest", "outcome" => "ok").increment(2);
            metrics::gauge!(names::LOG_POSITION, "shard" => "3").set(17.0);
            metrics::histogram!(names::COMMIT_SECONDS).record(Duration::from_micros(150));
            metrics::histogram!(names::BATCH_SIZE).record(512.0);
        });
        let text = metrics.render();
        for line in [
            "# HELP cmgate_calls_total Calls answered, by method and outcome.",
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
        let metrics = Metrics { prometheus: recorder.handle() };
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
        let metrics = Metrics { prometheus: recorder().unwrap().handle() };
        let end = CancellationToken::new();
        end.cancel();
        metrics.upkeep(end).await;
    }
}
