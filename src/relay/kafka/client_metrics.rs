//! The metrics of the fenced publisher's client.

use cmgate_fence::{Observer, Outcome, Request};

use crate::runtime::telemetry::names;

/// The request that carries records.
const PRODUCE: &str = "Produce";

/// Counts the requests of a client.
#[derive(Debug)]
pub(super) struct ClientMetrics;

impl Observer for ClientMetrics {
    fn ended(&self, request: &Request<'_>) {
        let broker = request.broker.to_string();
        let (api, outcome) = (request.api, request.outcome.name());
        metrics::counter!(names::KAFKA_REQUESTS, "broker" => broker.clone(), "api" => api, "outcome" => outcome)
            .increment(1);
        let count = |name, bytes: usize| {
            metrics::counter!(name, "broker" => broker.clone()).increment(u64::try_from(bytes).unwrap_or(u64::MAX));
        };
        count(names::KAFKA_SENT_BYTES, request.sent_bytes);
        count(names::KAFKA_RECEIVED_BYTES, request.received_bytes);
        if api == PRODUCE && request.outcome == Outcome::Answered {
            metrics::histogram!(names::KAFKA_APPEND_SECONDS, "broker" => broker).record(request.took);
        }
    }
}
