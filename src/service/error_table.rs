//! The error table: gRPC code, HTTP status, log severity and retry delay of each kind.
//!
//! Both transports, the access log and the metrics use it; no other code maps kinds to any of these.

use std::time::Duration;

use http::StatusCode;
use tonic::Code;

use super::Error;
use crate::domain::ErrorKind;
use crate::runtime::telemetry::error_chain;

/// One row: how a kind of error is answered and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Code of the gRPC status.
    pub code: Code,
    /// Status of the REST answer.
    pub status: StatusCode,
    /// Stable, machine-readable name of the kind. An error without a narrower reason has this name as its reason.
    pub problem: &'static str,
    /// Message of an error that has none.
    pub title: &'static str,
    /// Log severity of a failed call.
    pub severity: Severity,
    /// Delay before a retry; `None` if the same call would fail again.
    pub retry_after: Option<Duration>,
}

impl Row {
    /// The delay before a retry in whole seconds, for `Retry-After` (RFC 9110, 10.2.3); rounded up, so that no caller retries too
    /// early.
    #[must_use]
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self.retry_after {
            Some(pause) => Some(pause.as_secs() + if pause.subsec_nanos() > 0 { 1 } else { 0 }),
            None => None,
        }
    }
}

/// Log severity of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The caller caused it, or the service shed load.
    Info,
    /// A dependency is unavailable, or the deadline passed.
    Warn,
    /// A defect of the service.
    Error,
}

/// Generates one `match` without a default arm, so a new kind does not compile until it has a row.
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
/// A full queue drains within a second, every rate admits a call each second, and callers should not retry faster during a fail-over.
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
    TooLarge         | InvalidArgument    | PAYLOAD_TOO_LARGE     | "TOO_LARGE"         | "too large"                    | Info  | NO_RETRY;
    Overloaded       | ResourceExhausted  | TOO_MANY_REQUESTS     | "OVERLOADED"        | "the service is overloaded"    | Info  | SOON;
    CallerLimit      | ResourceExhausted  | TOO_MANY_REQUESTS     | "CALLER_LIMIT"      | "the caller exceeds its limit" | Info  | SOON;
    DeadlineExceeded | DeadlineExceeded   | GATEWAY_TIMEOUT       | "DEADLINE_EXCEEDED" | "the deadline passed"          | Warn  | NO_RETRY;
    Unavailable      | Unavailable        | SERVICE_UNAVAILABLE   | "UNAVAILABLE"       | "the service is unavailable"   | Warn  | SOON;
    Unimplemented    | Unimplemented      | NOT_IMPLEMENTED       | "UNIMPLEMENTED"     | "not implemented"              | Info  | NO_RETRY;
    Internal         | Internal           | INTERNAL_SERVER_ERROR | "INTERNAL"          | "internal error"               | Error | NO_RETRY;
}

/// Log severity of a gRPC code. Codes outside the table come from the gRPC library only.
#[must_use]
pub fn severity_of_code(code: Code) -> Severity {
    let of_kinds = KINDS.iter().map(|kind| row(*kind)).filter(|row| row.code == code).map(|row| row.severity).max();
    of_kinds.unwrap_or(match code {
        Code::Unknown | Code::DataLoss => Severity::Error,
        _ => Severity::Info,
    })
}

/// Log severity of an HTTP status. Statuses outside the table answer calls that reach no handler, such as 405 and 505.
#[must_use]
pub fn severity_of_status(status: StatusCode) -> Severity {
    let of_kinds = KINDS.iter().map(|kind| row(*kind)).filter(|row| row.status == status).map(|row| row.severity).max();
    of_kinds.unwrap_or(Severity::Info)
}

/// Logs a failure of the service with its cause, which the caller does not see.
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
