//! Errors in gRPC: the code of the error table, and the rich details of `google.rpc` with a stable reason.
//!
//! The cause of a failure of the service goes to the log only; the caller sees its kind.

use std::collections::HashMap;

use axum::body::Body;
use http::Response;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::contract::v1;
use crate::domain::{CorrelationId, ErrorKind, FieldViolation, Refusal, RequestId};
use crate::service::{Error, log_failure, row};

/// Domain of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "cmgate";
/// Most bytes of text about wrong fields. An error travels in headers, three times over, and clients take 8 KiB of them.
const VIOLATIONS_BYTES: usize = 1_024;
/// Most bytes of text about one wrong field; a problem can quote what the caller sent.
const PROBLEM_BYTES: usize = 512;

/// The error of a call, or of a member of a batch.
#[derive(Debug)]
pub(super) struct CallError {
    error: Error,
    /// Path of the part of the message whose fields the error names, such as `draft.`; empty if they are named in full.
    path: String,
    /// The request that the call was about.
    subject: Option<RequestId>,
}

impl<E: Into<Error>> From<E> for CallError {
    fn from(error: E) -> Self {
        Self { error: error.into(), path: String::new(), subject: None }
    }
}

impl CallError {
    /// A failure whose fields are named from a part of the message.
    pub(super) fn within(path: String, error: Error) -> Self {
        Self { path, ..Self::from(error) }
    }

    /// A failure that is about a request.
    pub(super) fn about(subject: RequestId, error: Error) -> Self {
        Self { subject: Some(subject), ..Self::from(error) }
    }

    /// The failure as the error of a call.
    pub(super) fn status(self, correlation: CorrelationId) -> Status {
        log_failure(&self.error);
        let kind = self.error.kind();
        let violations = self.violations();
        let message = self.message(&violations);
        let mut details = details(kind, self.error.reason(), correlation);
        for violation in violations {
            details.add_bad_request_violation(violation.field, violation.problem);
        }
        if kind == ErrorKind::Conflict {
            let subject = self.subject.map_or_else(String::new, |id| id.to_string());
            details.add_precondition_failure_violation(self.error.reason(), subject, message.as_str());
        }
        Status::with_error_details(row(kind).code, message, details)
    }

    /// The failure as the result of a member of a batch.
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

    /// The wrong fields under their paths in the whole message, as many as fit into an answer.
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
                violation.problem = format!("is wrong, and so are {} more fields that are not listed", last - index);
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

/// An error that no use case returned.
pub(super) fn plain(kind: ErrorKind, reason: &str, message: &str, correlation: CorrelationId) -> Status {
    Status::with_error_details(row(kind).code, message, details(kind, reason, correlation))
}

/// Gives the errors of the gRPC library the form of all others. It answers what it cannot read with codes that would
/// blame the service, and without a reason.
pub fn complete(response: &mut Response<Body>, correlation: CorrelationId) {
    let headers = response.headers_mut();
    let is_bare = headers.contains_key(Status::GRPC_STATUS) && !headers.contains_key(Status::GRPC_STATUS_DETAILS);
    let Some(bare) = is_bare.then(|| Status::from_header_map(headers)).flatten() else { return };
    let (kind, reason) = match bare.code() {
        Code::OutOfRange => (ErrorKind::TooLarge, "MESSAGE_TOO_LARGE"),
        Code::Internal => (ErrorKind::Invalid, "MALFORMED_MESSAGE"),
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
    let message = if bare.message().is_empty() { row(kind).title } else { bare.message() };
    // Fails for text that no header can carry; the percent-encoded message and base64 always can be.
    let _ = plain(kind, reason, message, correlation).add_header(headers);
}

fn details(kind: ErrorKind, reason: &str, correlation: CorrelationId) -> ErrorDetails {
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
