//! Counts the errors of Kafka by their names in librdkafka.

use std::error::Error;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::KafkaFailure;
use crate::runtime::telemetry::names;

/// The error of a failure that librdkafka does not know.
const OTHER: &str = "Other";

/// Errors that a cluster which is away, refuses access or loses replicas causes.
const USUAL: [RDKafkaErrorCode; 14] = [
    RDKafkaErrorCode::AllBrokersDown,
    RDKafkaErrorCode::Authentication,
    RDKafkaErrorCode::BrokerTransportFailure,
    RDKafkaErrorCode::ClusterAuthorizationFailed,
    RDKafkaErrorCode::Fenced,
    RDKafkaErrorCode::MessageTimedOut,
    RDKafkaErrorCode::NotEnoughReplicas,
    RDKafkaErrorCode::NotEnoughReplicasAfterAppend,
    RDKafkaErrorCode::OperationTimedOut,
    RDKafkaErrorCode::Resolve,
    RDKafkaErrorCode::SSL,
    RDKafkaErrorCode::TopicAuthorizationFailed,
    RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
    RDKafkaErrorCode::UnknownTopicOrPartition,
];

/// Begins the counters of usual errors, so that monitoring sees the first one as a change.
pub(in crate::relay) fn begin_counting() {
    for name in USUAL.into_iter().map(name).chain([OTHER.to_owned()]) {
        metrics::counter!(names::KAFKA_ERRORS, "error" => name).increment(0);
    }
}

/// Counts an error that a client reports. The end of a partition is none.
pub(super) fn count(error: &KafkaError) {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::PartitionEOF) => {}
        code => increment(code.map_or_else(|| OTHER.to_owned(), name)),
    }
}

/// Counts what ended a session, if it was Kafka.
pub(in crate::relay) fn count_cause(error: &(dyn Error + 'static)) {
    let causes = || std::iter::successors(Some(error), |error| (*error).source());
    match causes().find_map(|cause| cause.downcast_ref::<KafkaError>()) {
        Some(error) => count(error),
        None if causes().any(<dyn Error>::is::<KafkaFailure>) => increment(OTHER.to_owned()),
        None => {}
    }
}

/// The names are those of an enum, so they are bounded.
fn name(code: RDKafkaErrorCode) -> String {
    format!("{code:?}")
}

fn increment(name: String) {
    metrics::counter!(names::KAFKA_ERRORS, "error" => name).increment(1);
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::store::StoreError;

    #[test]
    fn errors_of_kafka_are_counted_by_name_and_no_others() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            begin_counting();
            count(&KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure));
            count(&KafkaError::Global(RDKafkaErrorCode::PartitionEOF));
            let delivery = KafkaError::MessageProduction(RDKafkaErrorCode::NotEnoughReplicas);
            count_cause(&KafkaFailure::Delivery(delivery));
            count_cause(&KafkaFailure::TopicReplaced("t".to_owned()));
            count_cause(&StoreError::ReadOnly("a standby".to_owned()));
        });
        let text = recorder.handle().render();
        let counted: Vec<&str> =
            text.lines().filter(|line| line.starts_with("cmgate_") && !line.ends_with(" 0")).collect();
        let mut expected = ["BrokerTransportFailure", "NotEnoughReplicas", "Other"]
            .map(|name| format!("cmgate_kafka_errors_total{{error=\"{name}\"}} 1"));
        expected.sort();
        let mut counted: Vec<String> = counted.into_iter().map(str::to_owned).collect();
        counted.sort();
        assert_eq!(counted, expected);
        assert!(text.contains("cmgate_kafka_errors_total{error=\"AllBrokersDown\"} 0"), "{text}");
    }
}
