//! The one table of errors: what each kind is in gRPC, in HTTP, in the log, and when a caller may retry.
//!
//! Both transports, the access log and the metrics read it; nothing else decides any of these by kind.

use std::time::Duration;

use http::StatusCode;
use tonic::Code;

use super::Error;
use crate::domain::ErrorKind;
use crate::runtime::telemetry::error_chain;

/// How one kind of error is answered and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Code of gRPC.
    pub code: Code,
    /// Status of HTTP.
    pub status: StatusCode,
    /// Stable name of the kind for programs. The reason of an error is narrower; an error that has none of its own has this one.
    pub problem: &'static str,
    /// Message of an error that comes without one.
    pub title: &'static str,
    /// How loudly a failed call is logged.
    pub severity: Severity,
    /// When a retry may succeed; `None` if the same call would fail again.
    pub retry_after: Option<Duration>,
}

/// How loudly a failed call is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The caller's matter.
    Info,
    /// The service could not do what it was asked; what it depends on, or its load, is the cause.
    Warn,
    /// A defect of the service.
    Error,
}

/// Writes the rows as one `match` without a default arm, so that a new kind does not compile until it has its row here.
macro_rules! table {
    ($($kind:ident | $code:ident | $status:ident | $problem:literal | $title:literal | $severity:ident | $retry:expr;)*) => {
        /// Every kind, in the order of the table.
        const KINDS: &[ErrorKind] = &[$(ErrorKind::$kind),*];

        /// The row of a kind.
        #[must_use]
        pub const fn row(kind: ErrorKind) -> Row {
            match kind {
                $(ErrorKind::$kind => Row {
                    code: Code::$code,
                    status: StatusCode::$status,
                    problem: $problem,
                    title: $title,
                    severity: Severity::$severity,
                    retry_after: $retry,
                },)*
            }
        }
    };
}

const NO_RETRY: Option<Duration> = None;
/// A queue that is full drains within a second, and so does a fail-over that callers should not hurry.
const SOON: Option<Duration> = Some(Duration::from_secs(1));

table! {
    // kind           | gRPC code          | HTTP status           | problem             | title                          | log   | retry
    Invalid          | InvalidArgument    | BAD_REQUEST           | "INVALID"           | "the input is invalid"         | Info  | NO_RETRY;
    Unauthenticated  | Unauthenticated    | UNAUTHORIZED          | "UNAUTHENTICATED"   | "the caller is unknown"        | Info  | NO_RETRY;
    PermissionDenied | PermissionDenied   | FORBIDDEN             | "PERMISSION_DENIED" | "permission denied"            | Info  | NO_RETRY;
    NotFound         | NotFound           | NOT_FOUND             | "NOT_FOUND"         | "not found"                    | Info  | NO_RETRY;
    Conflict         | FailedPrecondition | CONFLICT              | "CONFLICT"          | "not possible in this state"   | Info  | NO_RETRY;
    VersionMismatch  | Aborted            | PRECONDITION_FAILED   | "VERSION_MISMATCH"  | "changed in the meantime"      | Info  | NO_RETRY;
    KeyReused        | InvalidArgument    | UNPROCESSABLE_ENTITY  | "KEY_REUSED"        | "idempotency key reused"       | Info  | NO_RETRY;
    TooLarge         | ResourceExhausted  | PAYLOAD_TOO_LARGE     | "TOO_LARGE"         | "too large"                    | Info  | NO_RETRY;
    Overloaded       | ResourceExhausted  | TOO_MANY_REQUESTS     | "OVERLOADED"        | "the service is overloaded"    | Info  | SOON;
    DeadlineExceeded | DeadlineExceeded   | GATEWAY_TIMEOUT       | "DEADLINE_EXCEEDED" | "the deadline passed"          | Warn  | NO_RETRY;
    Unavailable      | Unavailable        | SERVICE_UNAVAILABLE   | "UNAVAILABLE"       | "the service is unavailable"   | Warn  | SOON;
    Unimplemented    | Unimplemented      | NOT_IMPLEMENTED       | "UNIMPLEMENTED"     | "not implemented"              | Info  | NO_RETRY;
    Internal         | Internal           | INTERNAL_SERVER_ERROR | "INTERNAL"          | "internal error"               | Error | NO_RETRY;
}

/// How loudly a gRPC code is logged. A code of no kind comes from the gRPC library alone.
#[must_use]
pub fn severity_of_code(code: Code) -> Severity {
    let of_kinds = KINDS.iter().map(|kind| row(*kind)).filter(|row| row.code == code).map(|row| row.severity).max();
    of_kinds.unwrap_or(match code {
        Code::Unknown | Code::DataLoss => Severity::Error,
        _ => Severity::Info,
    })
}

/// How loudly an HTTP status is logged. A status of no kind answers a call that no handler takes, such as 405 and 505.
#[must_use]
pub fn severity_of_status(status: StatusCode) -> Severity {
    let of_kinds = KINDS.iter().map(|kind| row(*kind)).filter(|row| row.status == status).map(|row| row.severity).max();
    of_kinds.unwrap_or(Severity::Info)
}

/// Logs a use case that failed through the service, with its cause, which the caller does not see.
pub fn log_failure(error: &Error) {
    let (reason, cause) = (error.reason(), || error_chain(error));
    match row(error.kind()).severity {
        Severity::Info => {}
        Severity::Warn => tracing::warn!(reason, error = cause(), "the call failed"),
        Severity::Error => tracing::error!(reason, error = cause(), "the call failed"),
    }
}

#[cfg(test)]
mod tests;
