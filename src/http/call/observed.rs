//! What an operator sees of a call: one line in the log, one count and one duration.

use std::borrow::Cow;
use std::time::Instant;

use http::{HeaderMap, Response, StatusCode};
use tonic::{Code, Status};

use super::Transport;
use crate::telemetry::names;

/// Name of a method that is not served; callers invent those, and each would become a series of its own.
const OTHER: &str = "other";

/// How a call ended, as metrics and the log show it.
pub(super) struct Outcome {
    /// Name of the gRPC code, or number of the HTTP status.
    name: Cow<'static, str>,
    /// Whether an operator should look at it.
    is_failure: bool,
}

impl Outcome {
    /// The outcome that a response tells. In gRPC an error without a body has its status in the headers, and that is how
    /// every handler here fails; a response without one is a success, and its trailers need not be watched.
    pub(super) fn of<B>(transport: Transport, response: &Response<B>) -> Self {
        match transport {
            Transport::Grpc => Self::of_code(grpc_code(response.headers())),
            Transport::Legacy => Self::of_status(response.status()),
        }
    }

    fn of_code(code: Code) -> Self {
        let (name, is_failure) = match code {
            Code::Ok => ("OK", false),
            Code::Cancelled => ("CANCELLED", false),
            Code::Unknown => ("UNKNOWN", true),
            Code::InvalidArgument => ("INVALID_ARGUMENT", false),
            Code::DeadlineExceeded => ("DEADLINE_EXCEEDED", true),
            Code::NotFound => ("NOT_FOUND", false),
            Code::AlreadyExists => ("ALREADY_EXISTS", false),
            Code::PermissionDenied => ("PERMISSION_DENIED", false),
            Code::ResourceExhausted => ("RESOURCE_EXHAUSTED", false),
            Code::FailedPrecondition => ("FAILED_PRECONDITION", false),
            Code::Aborted => ("ABORTED", false),
            Code::OutOfRange => ("OUT_OF_RANGE", false),
            Code::Unimplemented => ("UNIMPLEMENTED", false),
            Code::Internal => ("INTERNAL", true),
            Code::Unavailable => ("UNAVAILABLE", true),
            Code::DataLoss => ("DATA_LOSS", true),
            Code::Unauthenticated => ("UNAUTHENTICATED", false),
        };
        Self { name: Cow::Borrowed(name), is_failure }
    }

    fn of_status(status: StatusCode) -> Self {
        let name = match status {
            StatusCode::OK => Cow::Borrowed("200"),
            StatusCode::CREATED => Cow::Borrowed("201"),
            StatusCode::NO_CONTENT => Cow::Borrowed("204"),
            other => Cow::Owned(other.as_str().to_owned()),
        };
        // These two are about what the caller asked for.
        let is_callers = matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED);
        Self { name, is_failure: status.is_server_error() && !is_callers }
    }

    /// The caller went away before the answer was there. 499 is what proxies call this in HTTP, which has no status for it.
    fn canceled(transport: Transport) -> Self {
        match transport {
            Transport::Grpc => Self::of_code(Code::Cancelled),
            Transport::Legacy => Self { name: Cow::Borrowed("499"), is_failure: false },
        }
    }
}

fn grpc_code(headers: &HeaderMap) -> Code {
    headers.get(Status::GRPC_STATUS).map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// A call under way. It is counted when it is answered, or as canceled when it is dropped before that.
pub(super) struct Observed {
    transport: Transport,
    method: &'static str,
    begun: Instant,
    is_answered: bool,
}

impl Observed {
    pub(super) fn begin(transport: Transport, method: Option<&'static str>, begun: Instant) -> Self {
        Self { transport, method: method.unwrap_or(OTHER), begun, is_answered: false }
    }

    pub(super) const fn method(&self) -> &'static str {
        self.method
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
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if outcome.is_failure {
            tracing::warn!(outcome = %name, micros, "call of {} failed with {name}", self.method);
        } else {
            tracing::info!(outcome = %name, micros, "call of {} ended with {name}", self.method);
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
    use std::time::Instant;

    use http::{Response, StatusCode};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tonic::{Code, Status};

    use super::{Observed, Outcome, Transport};

    #[test]
    fn the_outcome_of_grpc_is_its_status_not_that_of_http() {
        let error = Status::unavailable("away").into_http::<()>();
        let outcome = Outcome::of(Transport::Grpc, &error);
        assert_eq!((outcome.name.as_ref(), outcome.is_failure), ("UNAVAILABLE", true));
        let outcome = Outcome::of(Transport::Grpc, &Response::new(()));
        assert_eq!((outcome.name.as_ref(), outcome.is_failure), ("OK", false));
    }

    #[test]
    fn the_outcome_of_rest_is_its_status() {
        for (status, name, is_failure) in [
            (StatusCode::CREATED, "201", false),
            (StatusCode::NOT_FOUND, "404", false),
            (StatusCode::NOT_IMPLEMENTED, "501", false),
            (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "505", false),
            (StatusCode::SERVICE_UNAVAILABLE, "503", true),
        ] {
            let mut response = Response::new(());
            *response.status_mut() = status;
            let outcome = Outcome::of(Transport::Legacy, &response);
            assert_eq!((outcome.name.as_ref(), outcome.is_failure), (name, is_failure));
        }
    }

    #[test]
    fn every_call_is_counted_once_also_one_that_nobody_waits_for() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let begin = |transport, method| Observed::begin(transport, method, Instant::now());
            begin(Transport::Grpc, None).answered(&Outcome::of_code(Code::Unimplemented));
            drop(begin(Transport::Grpc, Some("S/M")));
            drop(begin(Transport::Legacy, Some("GET /requests")));
        });
        let text = recorder.handle().render();
        for line in [
            r#"cmgate_calls_total{method="other",outcome="UNIMPLEMENTED"} 1"#,
            r#"cmgate_calls_total{method="S/M",outcome="CANCELLED"} 1"#,
            r#"cmgate_calls_total{method="GET /requests",outcome="499"} 1"#,
            r#"cmgate_call_seconds_count{method="S/M",outcome="CANCELLED"} 1"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
