//! Errors as legacy callers read them: `{"Message": ..., "CorrelationId": ...}`, in the words of the framework
//! where it had some. This is the one place that answers with an error, and so the one that logs those of the service.

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;

use super::elsewhere::Elsewhere;
use super::write::write_json;
use crate::domain::{CorrelationId, ErrorKind, Refusal};
use crate::service;
use crate::service::told;
use crate::telemetry::error_chain;

/// `Content-Type` of every answer that has a body.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// How a caller can prove who it is.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"cmgate\"");

/// When to come back to a service that has too much to do, or lacks something it needs.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// What the fields of a draft are called in the body of a call, longer names first.
const LEGACY_NAMES: [(&str, &str); 9] = [
    ("profile_template", "profiletemplateuuid"),
    ("old_credential.smartcard", "smartcard"),
    ("old_credential.profile", "profile"),
    ("old_credential", "smartcard or profile"),
    ("new_credential.smartcard", "NewSmartcardUuid"),
    ("new_credential.profile", "NewProfileUuid"),
    ("data_items", "datacollection"),
    ("card_id", "cardid"),
    ("id", "requestid"),
];

/// Why a call was not carried out.
#[derive(Debug)]
pub(super) enum Failure {
    /// The call was refused before its path was looked at.
    Early(StatusCode, String),
    /// There is nothing at this address.
    UnknownAddress(String),
    /// The path does not take this method, but others.
    WrongMethod(Method, &'static str),
    /// The path is one of the API, and this service does not have what it needs.
    Elsewhere(Elsewhere),
    /// The body is of a media type that is not read.
    WrongMediaType(String),
    /// The body has these content codings.
    Compressed(String),
    /// `If-Match` has a tag that matches no version, for this reason.
    NeverMatches(&'static str),
    /// The body is longer than so many bytes.
    BodyTooLong(usize),
    /// A use case failed, or the body was refused.
    Service(service::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<CorrelationId>,
}

impl Failure {
    /// The answer to a call that failed. `Message` ends with the correlation id, as callers report that text alone.
    pub(super) fn respond(self, correlation: Option<CorrelationId>) -> Response {
        self.log(correlation);
        let mut message = self.message();
        if self.names_correlation()
            && let Some(correlation) = correlation
        {
            message = format!("{message}. The correlation id of this call is {correlation}.");
        }
        let mut body = Vec::new();
        write_json(&mut body, &Body { message: &message, correlation_id: correlation });
        let mut response = (self.status(), [(CONTENT_TYPE, JSON)], body).into_response();
        if let Some((name, value)) = self.advice() {
            response.headers_mut().insert(name, value);
        }
        if let Self::WrongMethod(_, allowed) = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Early(status, _) => *status,
            Self::UnknownAddress(_) => told(ErrorKind::NotFound).status,
            Self::WrongMethod(..) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Elsewhere(_) => told(ErrorKind::Unimplemented).status,
            Self::WrongMediaType(_) | Self::Compressed(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NeverMatches(_) => told(ErrorKind::VersionMismatch).status,
            Self::BodyTooLong(_) => told(ErrorKind::TooLarge).status,
            Self::Service(error) => told(error.kind()).status,
        }
    }

    /// What the caller can do about it, as a header (RFC 9110, 10.2.3, 11.6.1 and 12.5.3).
    fn advice(&self) -> Option<(HeaderName, HeaderValue)> {
        match self.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE if matches!(self, Self::Compressed(_)) => {
                Some((ACCEPT_ENCODING, HeaderValue::from_static("identity")))
            }
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, CHALLENGE)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, RETRY_SECONDS)),
            _ => None,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Early(_, message) => sentence(message),
            Self::UnknownAddress(address) => {
                format!("No HTTP resource was found that matches the request URI '{address}'.")
            }
            Self::WrongMethod(method, _) => {
                format!("The requested resource does not support http method '{method}'.")
            }
            Self::Elsewhere(elsewhere) => elsewhere.message().to_owned(),
            Self::WrongMediaType(given) => {
                format!("The request entity's media type '{given}' is not supported for this resource")
            }
            Self::Compressed(codings) => {
                format!("The request body has the content coding '{codings}'; send it without one")
            }
            Self::NeverMatches(why) => (*why).to_owned(),
            Self::BodyTooLong(limit) => format!("The request body has more than {limit} bytes"),
            Self::Service(service::Error::Refused(refusal)) => refusal_text(refusal),
            Self::Service(error) => sentence(&error.to_string()),
        }
    }

    /// Whether the message ends with the correlation id. Messages that the framework gave for a wrong address or method
    /// are left as clients may know them.
    const fn names_correlation(&self) -> bool {
        match self {
            Self::UnknownAddress(_) | Self::WrongMethod(..) => false,
            Self::Early(..)
            | Self::Elsewhere(_)
            | Self::WrongMediaType(_)
            | Self::Compressed(_)
            | Self::NeverMatches(_)
            | Self::BodyTooLong(_)
            | Self::Service(_) => true,
        }
    }

    fn log(&self, correlation: Option<CorrelationId>) {
        let Self::Service(error) = self else { return };
        if !self.status().is_server_error() {
            return;
        }
        let correlation = correlation.map(|id| id.to_string());
        let reason = error.reason();
        if error.kind() == ErrorKind::Internal {
            tracing::error!(correlation, reason, error = %error_chain(error), "call failed");
        } else {
            tracing::warn!(correlation, reason, error = %error_chain(error), "call not carried out");
        }
    }
}

/// An error in the shape of the facade, for what is refused before the facade is reached; the text is for the caller.
#[must_use]
pub fn refusal(kind: ErrorKind, message: &str, correlation: CorrelationId) -> Response {
    refusal_with(told(kind).status, message, correlation)
}

/// The same with a status that no kind of error has.
#[must_use]
pub fn refusal_with(status: StatusCode, message: &str, correlation: CorrelationId) -> Response {
    Failure::Early(status, message.to_owned()).respond(Some(correlation))
}

impl<E: Into<service::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// What a refusal says, its fields named as the caller wrote them.
fn refusal_text(refusal: &Refusal) -> String {
    if let Refusal::Invalid(violations) = refusal {
        let wrong = violations.iter().map(|wrong| format!("{} {}", legacy_name(&wrong.field), wrong.problem));
        return wrong.collect::<Vec<_>>().join("; ");
    }
    match refusal.violations().first() {
        Some(wrong) => format!("{}: {}", legacy_name(&wrong.field), wrong.problem),
        None => sentence(&refusal.to_string()),
    }
}

/// What the caller calls a field.
pub(super) fn legacy_name(field: &str) -> String {
    for (name, legacy) in LEGACY_NAMES {
        if let Some(rest) = field.strip_prefix(name)
            && (rest.is_empty() || rest.starts_with(['[', '.']))
        {
            return format!("{legacy}{rest}");
        }
    }
    field.to_owned()
}

/// The text as the begin of a message: with a capital, and without a full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.trim_end_matches('.').chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
