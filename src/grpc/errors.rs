//! gRPC errors: the code from the error table, and `google.rpc` details with a stable reason.
//!
//! The cause of an internal failure is only logged; the caller sees its kind.

use std::collections::HashMap;

use axum::body::Body;
use http::Response;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::contract::v1;
use crate::domain::{CorrelationId, ErrorKind, FieldViolation, Refusal, RequestId};
use crate::service::{Call, CallFacts, Error, log_failure, row};

/// `domain` of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "cmgate";
/// Limit on the text about invalid fields, in bytes. The headers of an error repeat it three times, and clients accept 8 KiB of
/// headers.
const VIOLATIONS_BYTES: usize = 1_024;
/// Limit on the text about one invalid field, in bytes; it can quote the caller's input.
const PROBLEM_BYTES: usize = 512;

/// The error of a call or of one member of a batch.
#[derive(Debug)]
pub(super) struct CallError {
    error: Error,
    /// Prefix of the field paths in the error, such as `draft.`; empty if the paths are complete.
    path: String,
    /// The request of the call.
    request: Option<RequestId>,
}

impl<E: Into<Error>> From<E> for CallError {
    fn from(error: E) -> Self {
        Self { error: error.into(), path: String::new(), request: None }
    }
}

impl CallError {
    /// An error whose field paths lack the prefix `path`.
    pub(super) fn within(path: String, error: Error) -> Self {
        Self { path, ..Self::from(error) }
    }

    /// An error of a call about one request.
    pub(super) fn about(request: RequestId, error: Error) -> Self {
        Self { request: Some(request), ..Self::from(error) }
    }

    /// Logs the error and converts it to the status of its call.
    pub(super) fn status(self, call: &Call) -> Status {
        call.facts.note_reason(self.error.reason());
        self.to_status(&call.correlation)
    }

    fn to_status(&self, correlation: &CorrelationId) -> Status {
        log_failure(&self.error);
        let kind = self.error.kind();
        let violations = self.violations();
        let message = self.message(&violations);
        let mut details = details(kind, self.error.reason(), correlation);
        for violation in violations {
            details.add_bad_request_violation(violation.field, violation.problem);
        }
        if kind == ErrorKind::Conflict {
            let subject = self.request.map_or_else(String::new, |id| id.to_string());
            details.add_precondition_failure_violation(self.error.reason(), subject, message.as_str());
        }
        Status::with_error_details(row(kind).code, message, details)
    }

    /// Logs the error and converts it to the result of one member of a batch.
    pub(super) fn member(self) -> v1::BatchCreateError {
        log_failure(&self.error);
        let violations = self.violations();
        let message = self.message(&violations);
        let field_violations = violations
            .into_iter()
            .map(|violation| v1::FieldViolation { field: violation.field, description: violation.problem })
            .collect();
        let code = row(self.error.kind()).code.into();
        v1::BatchCreateError { code, message, reason: self.error.reason().to_owned(), field_violations }
    }

    /// The invalid fields with their complete paths, as many as fit into the headers.
    fn violations(&self) -> Vec<FieldViolation> {
        let all = self.error.violations();
        let last = all.len().saturating_sub(1);
        let mut listed = Vec::new();
        let mut bytes = 0;
        for (index, mut violation) in all.into_iter().enumerate() {
            violation.field.insert_str(0, &self.path);
            violation.problem.truncate(violation.problem.floor_char_boundary(PROBLEM_BYTES));
            bytes += violation.field.len() + violation.problem.len();
            if bytes > VIOLATIONS_BYTES && index < last {
                violation.problem = format!("is invalid; {} more invalid fields are not listed", last - index);
                listed.push(violation);
                break;
            }
            listed.push(violation);
        }
        listed
    }

    fn message(&self, violations: &[FieldViolation]) -> String {
        match &self.error {
            Error::Refused(Refusal::Invalid(_)) => Refusal::Invalid(violations.to_vec()).to_string(),
            error => error.to_string(),
        }
    }
}

/// The status of an error that does not come from a use case.
pub(super) fn plain(kind: ErrorKind, reason: &str, message: &str, correlation: &CorrelationId) -> Status {
    Status::with_error_details(row(kind).code, message, details(kind, reason, correlation))
}

/// Rewrites errors of the gRPC library to the form of all other errors. The library reports unreadable messages without a
/// reason, and with codes that stand for server errors.
pub fn rewrite_library_errors(response: &mut Response<Body>, correlation: &CorrelationId, facts: &CallFacts) {
    let headers = response.headers_mut();
    let is_bare = headers.contains_key(Status::GRPC_STATUS) && !headers.contains_key(Status::GRPC_STATUS_DETAILS);
    let Some(bare) = is_bare.then(|| Status::from_header_map(headers)).flatten() else { return };
    let (kind, reason) = match bare.code() {
        Code::OutOfRange => (ErrorKind::TooLarge, v1::ErrorReason::MessageTooLarge.as_str_name()),
        Code::Internal => (ErrorKind::Invalid, v1::ErrorReason::MalformedMessage.as_str_name()),
        Code::Unimplemented => (ErrorKind::Unimplemented, row(ErrorKind::Unimplemented).problem),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => return,
    };
    facts.note_reason(reason);
    let message = if bare.message().is_empty() { row(kind).title } else { bare.message() };
    // Fails only for text that is not a valid header value; a percent-encoded message and base64 always are.
    let _ = plain(kind, reason, message, correlation).add_header(headers);
}

fn details(kind: ErrorKind, reason: &str, correlation: &CorrelationId) -> ErrorDetails {
    let row = row(kind);
    let metadata =
        [("correlation_id".to_owned(), correlation.to_string()), ("problem".to_owned(), row.problem.to_owned())];
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::from(metadata));
    if row.retry_after.is_some() {
        details.set_retry_info(row.retry_after);
    }
    details
}

#[cfg(test)]
mod tests;
