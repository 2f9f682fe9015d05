//! The one table of errors: what each kind is in gRPC and in HTTP.

use http::StatusCode;
use tonic::Code;

use crate::domain::ErrorKind;

/// How one kind of error is told to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Code of gRPC.
    pub code: Code,
    /// Status of HTTP.
    pub status: StatusCode,
    /// What it is, in a few words.
    pub title: &'static str,
}

/// How a kind of error is told. A new kind does not compile until it has its row here.
#[must_use]
pub const fn told(kind: ErrorKind) -> Told {
    let (code, status, title) = match kind {
        ErrorKind::Invalid => (Code::InvalidArgument, StatusCode::BAD_REQUEST, "invalid input"),
        ErrorKind::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED, "caller not known"),
        ErrorKind::PermissionDenied => (Code::PermissionDenied, StatusCode::FORBIDDEN, "not permitted"),
        ErrorKind::NotFound => (Code::NotFound, StatusCode::NOT_FOUND, "not found"),
        ErrorKind::Conflict => (Code::FailedPrecondition, StatusCode::CONFLICT, "not possible in this state"),
        ErrorKind::VersionMismatch => (Code::Aborted, StatusCode::PRECONDITION_FAILED, "changed in the meantime"),
        ErrorKind::KeyReused => (Code::InvalidArgument, StatusCode::UNPROCESSABLE_ENTITY, "idempotency key reused"),
        ErrorKind::TooLarge => (Code::ResourceExhausted, StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        ErrorKind::Overloaded => (Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, "too much to do"),
        ErrorKind::DeadlineExceeded => (Code::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT, "too late"),
        ErrorKind::Unavailable => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "not available"),
        ErrorKind::Unimplemented => (Code::Unimplemented, StatusCode::NOT_IMPLEMENTED, "not offered"),
        ErrorKind::Internal => (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
    };
    Told { code, status, title }
}
