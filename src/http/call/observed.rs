//! Observes a call for operators: one log line, one count and one duration.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::{HeaderMap, Response, StatusCode};
use tonic::{Code, Status};
use tracing::field::display;

use super::Transport;
use super::transport::GRPC_METHODS;
use crate::contract::v1::ErrorReason;
use crate::runtime::telemetry::{CALL_TARGET, names};
use crate::service::{CallFacts, Severity, severity_of_code, severity_of_status};

/// Label of unknown methods. Callers choose those names, and each would become a time series of its own.
const OTHER: &str = "other";

/// Begins the counters of calls, so that monitoring sees the first call of a method and the first failure as changes.
pub fn begin_counting() {
    for method in GRPC_METHODS {
        metrics::counter!(names::CALLS, "method" => method, "outcome" => "OK").increment(0);
    }
    let reasons = (1..MAX_REASONS).filter_map(|number| ErrorReason::try_from(number).ok());
    for reason in reasons {
        metrics::counter!(names::CALL_ERRORS, "reason" => reason.as_str_name()).increment(0);
    }
}

/// Bound on the numbers of the reasons of errors.
const MAX_REASONS: i32 = 1_000;

/// The outcome of a call, for metrics and the log.
pub(super) struct Outcome {
    /// Name of the gRPC code, or number of the HTTP status.
    name: Cow<'static, str>,
    /// Severity of the log line.
    severity: Severity,
    is_success: bool,
}

impl Outcome {
    /// The outcome of a response. All gRPC handlers here fail without a body, which puts the status into the headers. A gRPC
    /// response without a status there is a success; its trailers need no inspection.
    pub(super) fn of<B>(transport: Transport, response: &Response<B>) -> Self {
        match transport {
            Transport::Grpc => Self::of_code(grpc_code(response.headers())),
            Transport::Rest | Transport::Legacy => Self::of_status(response.status()),
        }
    }

    fn of_code(code: Code) -> Self {
        let name = match code {
            Code::Ok => "OK",
            Code::Cancelled => "CANCELLED",
            Code::Unknown => "UNKNOWN",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Code::NotFound => "NOT_FOUND",
            Code::AlreadyExists => "ALREADY_EXISTS",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::Aborted => "ABORTED",
            Code::OutOfRange => "OUT_OF_RANGE",
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::Internal => "INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::DataLoss => "DATA_LOSS",
            Code::Unauthenticated => "UNAUTHENTICATED",
        };
        Self { name: Cow::Borrowed(name), severity: severity_of_code(code), is_success: code == Code::Ok }
    }

    fn of_status(status: StatusCode) -> Self {
        let name = match status {
            StatusCode::OK => Cow::Borrowed("200"),
            StatusCode::CREATED => Cow::Borrowed("201"),
            StatusCode::NO_CONTENT => Cow::Borrowed("204"),
            other => Cow::Owned(other.as_str().to_owned()),
        };
        Self { name, severity: severity_of_status(status), is_success: status.is_success() }
    }

    /// The caller disconnected before the response was ready. HTTP has no status for this; proxies log 499.
    fn canceled(transport: Transport) -> Self {
        match transport {
            Transport::Grpc => Self::of_code(Code::Cancelled),
            Transport::Rest | Transport::Legacy => {
                Self { name: Cow::Borrowed("499"), severity: Severity::Info, is_success: false }
            }
        }
    }
}

fn grpc_code(headers: &HeaderMap) -> Code {
    headers.get(Status::GRPC_STATUS).map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// Selects the successful calls that are logged: one of every so many. Clones share the count.
#[derive(Clone, Debug)]
pub struct Sample {
    every: usize,
    successes: Arc<AtomicUsize>,
}

impl Sample {
    /// Selects one of `every` successful calls; 0 selects none.
    #[must_use]
    pub fn new(every: usize) -> Self {
        Self { every, successes: Arc::default() }
    }

    fn selects_next(&self) -> bool {
        self.every > 0 && self.successes.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.every)
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self::new(1)
    }
}

/// A call in flight. It is recorded when it is answered, or as canceled when it is dropped earlier.
pub(super) struct Observed {
    transport: Transport,
    method: &'static str,
    begun: Instant,
    facts: Arc<CallFacts>,
    sample: Sample,
    is_answered: bool,
}

impl Observed {
    pub(super) fn begin(
        transport: Transport,
        method: Option<&'static str>,
        begun: Instant,
        facts: Arc<CallFacts>,
        sample: Sample,
    ) -> Self {
        Self { transport, method: method.unwrap_or(OTHER), begun, facts, sample, is_answered: false }
    }

    /// Name of the method in the log: without the service, which the name implies.
    pub(super) fn method(&self) -> &'static str {
        match self.transport {
            Transport::Grpc => self.method.rsplit('/').next().unwrap_or(self.method),
            Transport::Rest | Transport::Legacy => self.method,
        }
    }

    pub(super) fn answered(mut self, outcome: &Outcome) {
        self.is_answered = true;
        self.record(outcome);
    }

    fn record(&self, outcome: &Outcome) {
        let took = self.begun.elapsed();
        let name = &outcome.name;
        metrics::counter!(names::CALLS, "method" => self.method, "outcome" => name.clone()).increment(1);
        metrics::histogram!(names::CALL_SECONDS, "method" => self.method, "outcome" => name.clone()).record(took);
        if let Some(reason) = self.facts.reason() {
            metrics::counter!(names::CALL_ERRORS, "reason" => reason).increment(1);
        }
        if outcome.is_success && !self.sample.selects_next() {
            return;
        }
        let code = name.as_ref();
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let request = self.facts.request().map(display);
        let key = self.facts.has_key().then_some(true);
        let reason = self.facts.reason();
        match outcome.severity {
            Severity::Info => tracing::info!(target: CALL_TARGET, code, us, request, key, reason),
            Severity::Warn => tracing::warn!(target: CALL_TARGET, code, us, request, key, reason),
            Severity::Error => tracing::error!(target: CALL_TARGET, code, us, request, key, reason),
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.is_answered {
            self.record(&Outcome::canceled(self.transport));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use http::{Response, StatusCode};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tonic::{Code, Status};

    use super::{Observed, Outcome, Sample, Severity, Transport, begin_counting};
    use crate::service::CallFacts;

    #[test]
    fn the_outcome_of_grpc_is_its_status_not_that_of_http() {
        let error = Status::unavailable("away").into_http::<()>();
        let outcome = Outcome::of(Transport::Grpc, &error);
        assert_eq!((outcome.name.as_ref(), outcome.severity), ("UNAVAILABLE", Severity::Warn));
        let outcome = Outcome::of(Transport::Grpc, &Response::new(()));
        assert_eq!((outcome.name.as_ref(), outcome.severity), ("OK", Severity::Info));
    }

    #[test]
    fn the_outcome_of_rest_is_its_status() {
        for (status, name, severity) in [
            (StatusCode::CREATED, "201", Severity::Info),
            (StatusCode::NOT_FOUND, "404", Severity::Info),
            (StatusCode::NOT_IMPLEMENTED, "501", Severity::Info),
            (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "505", Severity::Info),
            (StatusCode::SERVICE_UNAVAILABLE, "503", Severity::Warn),
        ] {
            let mut response = Response::new(());
            *response.status_mut() = status;
            let outcome = Outcome::of(Transport::Legacy, &response);
            assert_eq!((outcome.name.as_ref(), outcome.severity), (name, severity));
        }
    }

    #[test]
    fn a_sample_selects_one_of_so_many_successes() {
        let selected = |every| {
            let sample = Sample::new(every);
            (0..10).filter(|_| sample.selects_next()).count()
        };
        assert_eq!((selected(1), selected(3), selected(100), selected(0)), (10, 4, 1, 0));
    }

    #[test]
    fn every_call_is_counted_once_even_if_it_is_canceled() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let begin = |transport, method| {
                Observed::begin(transport, method, Instant::now(), Arc::default(), Sample::default())
            };
            begin_counting();
            begin(Transport::Grpc, None).answered(&Outcome::of_code(Code::Unimplemented));
            let facts = Arc::new(CallFacts::default());
            facts.note_reason("OVERLOADED");
            let refused = Observed::begin(Transport::Grpc, None, Instant::now(), facts, Sample::default());
            refused.answered(&Outcome::of_code(Code::ResourceExhausted));
            drop(begin(Transport::Grpc, Some("S/M")));
            drop(begin(Transport::Legacy, Some("GET /requests")));
        });
        let text = recorder.handle().render();
        for line in [
            r#"cmgate_calls_total{method="other",outcome="UNIMPLEMENTED"} 1"#,
            r#"cmgate_calls_total{method="S/M",outcome="CANCELLED"} 1"#,
            r#"cmgate_calls_total{method="cmgate.v1.RequestService/CreateRequest",outcome="OK"} 0"#,
            r#"cmgate_call_errors_total{reason="OVERLOADED"} 1"#,
            r#"cmgate_call_errors_total{reason="INVALID_FIELD"} 0"#,
            r#"cmgate_call_errors_total{reason="INTERNAL"} 0"#,
            r#"cmgate_calls_total{method="GET /requests",outcome="499"} 1"#,
            r#"cmgate_call_seconds_count{method="S/M",outcome="CANCELLED"} 1"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
