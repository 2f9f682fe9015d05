//! Errors as problem details (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::domain::{CorrelationId, ErrorKind};
use crate::http::auth::CHALLENGE;
use crate::service::row;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An error of the REST API.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Problem<'a> {
    pub(in crate::http) status: StatusCode,
    /// Stable name of the reason, for programs.
    pub(in crate::http) reason: &'a str,
    /// What is wrong and what to do, for people.
    pub(in crate::http) detail: &'a str,
    /// Seconds until a retry may succeed.
    pub(in crate::http) retry_after: Option<u64>,
}

/// The body. Without the member `type`, it is `about:blank`, so the title is that of the status.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a CorrelationId>,
}

impl<'a> Problem<'a> {
    /// An error with a status that no [`ErrorKind`] has.
    pub(in crate::http) const fn new(status: StatusCode, reason: &'a str, detail: &'a str) -> Self {
        Self { status, reason, detail, retry_after: None }
    }

    /// An error of a kind, with its general reason and text.
    pub(in crate::http) fn of(kind: ErrorKind) -> Self {
        let row = row(kind);
        Self { status: row.status, reason: row.problem, detail: row.title, retry_after: row.retry_after_seconds() }
    }

    /// The response.
    pub(in crate::http) fn response(self, correlation_id: Option<&CorrelationId>) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let body =
            Body { title, status: self.status.as_u16(), detail: self.detail, reason: self.reason, correlation_id };
        // Texts and numbers always serialize.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        // A response with this status must have a challenge (RFC 9110, 15.5.2).
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
