//! Error answers of the facade: `{"Message": ..., "CorrelationId": ...}`, in the wording of the old framework where it had one.
//! Every error answer is built here, so failures of the service are logged here.

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;

use super::unsupported::Unsupported;
use super::write::write_json;
use crate::domain::{CorrelationId, ErrorKind, Refusal};
use crate::service;
use crate::service::{log_failure, row};

/// `Content-Type` of every answer that has a body.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// `WWW-Authenticate` of a 401.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"cmgate\"");

/// Fields of the domain and their names in the bodies of calls; longer names come before their prefixes.
const LEGACY_NAMES: [(&str, &str); 11] = [
    ("profile_template", "profiletemplateuuid"),
    ("old_credential.smartcard", "smartcard"),
    ("old_credential.profile", "profile"),
    ("old_credential", "smartcard or profile"),
    ("new_credential.smartcard", "NewSmartcardUuid"),
    ("new_credential.profile", "NewProfileUuid"),
    ("data_items", "datacollection"),
    ("target_sid", "target"),
    ("target_upn", "target"),
    ("serial_number", "cardid"),
    ("id", "requestid"),
];

/// Why a call failed.
#[derive(Debug)]
pub(super) enum HttpError {
    /// Refused before the call reached the facade.
    Refused(ErrorKind, String),
    /// Refused before the call reached the facade, with a status that no [`ErrorKind`] has.
    Mismatch(StatusCode, String),
    /// No resource exists at this address.
    UnknownAddress(String),
    /// The resource supports only other methods, listed for `Allow`.
    WrongMethod(Method, HeaderValue),
    /// The API has this endpoint, but the service does not support it.
    Unsupported(Unsupported),
    /// The media type of the body is not supported.
    WrongMediaType(String),
    /// The body is compressed with these content codings.
    Compressed(String),
    /// `If-Match` holds a tag that can match no version, for this reason.
    NeverMatches(&'static str),
    /// The body exceeds this limit in bytes.
    BodyTooLong(usize),
    /// The body is invalid, or a use case failed.
    Service(service::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a CorrelationId>,
}

impl HttpError {
    /// The error answer. `Message` ends with the correlation id, because users report only that text.
    pub(super) fn respond(self, correlation: Option<&CorrelationId>) -> Response {
        if let Self::Service(error) = &self {
            log_failure(error);
        }
        let mut message = self.message();
        if self.names_correlation()
            && let Some(correlation) = correlation
        {
            message = format!("{message}. The correlation id of this call is {correlation}.");
        }
        let mut body = Vec::new();
        write_json(&mut body, &Body { message: &message, correlation_id: correlation });
        let status = self.kind().map_or_else(|status| status, |kind| row(kind).status);
        let mut response = (status, [(CONTENT_TYPE, JSON)], body).into_response();
        if let Some((name, value)) = self.advice() {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// Stable name of the reason, for the log.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Service(error) => error.reason(),
            Self::Mismatch(..) => "TRANSPORT_MISMATCH",
            Self::UnknownAddress(_) => "UNKNOWN_ADDRESS",
            Self::WrongMethod(..) => "WRONG_METHOD",
            Self::WrongMediaType(_) | Self::Compressed(_) => "UNSUPPORTED_MEDIA_TYPE",
            Self::BodyTooLong(_) => "BODY_TOO_LONG",
            Self::NeverMatches(_) => row(ErrorKind::VersionMismatch).problem,
            Self::Unsupported(_) => row(ErrorKind::Unimplemented).problem,
            Self::Refused(kind, _) => row(*kind).problem,
        }
    }

    /// The kind of the error, or the status of one that only HTTP has.
    const fn kind(&self) -> Result<ErrorKind, StatusCode> {
        match self {
            Self::Refused(kind, _) => Ok(*kind),
            Self::Mismatch(status, _) => Err(*status),
            Self::UnknownAddress(_) => Ok(ErrorKind::NotFound),
            Self::WrongMethod(..) => Err(StatusCode::METHOD_NOT_ALLOWED),
            Self::Unsupported(_) => Ok(ErrorKind::Unimplemented),
            Self::WrongMediaType(_) | Self::Compressed(_) => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::NeverMatches(_) => Ok(ErrorKind::VersionMismatch),
            Self::BodyTooLong(_) => Ok(ErrorKind::TooLarge),
            Self::Service(error) => Ok(error.kind()),
        }
    }

    /// The header that states what the caller can do (RFC 9110, 10.2.1, 10.2.3, 11.6.1 and 12.5.3).
    fn advice(&self) -> Option<(HeaderName, HeaderValue)> {
        match (self, self.kind()) {
            (Self::Compressed(_), _) => Some((ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity"))),
            (Self::WrongMethod(_, allowed), _) => Some((ALLOW, allowed.clone())),
            (_, Ok(ErrorKind::Unauthenticated)) => Some((WWW_AUTHENTICATE, CHALLENGE)),
            (_, Ok(kind)) => row(kind).retry_after_seconds().map(|seconds| (RETRY_AFTER, seconds.into())),
            (_, Err(_)) => None,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Refused(_, message) | Self::Mismatch(_, message) => sentence(message),
            Self::UnknownAddress(address) => {
                format!("No HTTP resource was found that matches the request URI '{address}'.")
            }
            Self::WrongMethod(method, _) => {
                format!("The requested resource does not support http method '{method}'.")
            }
            Self::Unsupported(unsupported) => unsupported.message().to_owned(),
            Self::WrongMediaType(given) => {
                format!("The request entity's media type '{given}' is not supported for this resource")
            }
            Self::Compressed(codings) => {
                format!("The request body has the content coding '{codings}'; send it with gzip or without one")
            }
            Self::NeverMatches(why) => (*why).to_owned(),
            Self::BodyTooLong(limit) => format!("The request body has more than {limit} bytes"),
            Self::Service(service::Error::Refused(refusal)) => refusal_text(refusal),
            Self::Service(error) => sentence(&error.to_string()),
        }
    }

    /// Whether the message ends with the correlation id. The framework's messages for a wrong address or method stay unchanged,
    /// because clients may match them.
    const fn names_correlation(&self) -> bool {
        match self {
            Self::UnknownAddress(_) | Self::WrongMethod(..) => false,
            Self::Refused(..)
            | Self::Mismatch(..)
            | Self::Unsupported(_)
            | Self::WrongMediaType(_)
            | Self::Compressed(_)
            | Self::NeverMatches(_)
            | Self::BodyTooLong(_)
            | Self::Service(_) => true,
        }
    }
}

/// The facade's error answer to a call that is refused before it reaches the facade.
#[must_use]
pub fn refusal(kind: ErrorKind, message: &str, correlation: &CorrelationId) -> Response {
    HttpError::Refused(kind, message.to_owned()).respond(Some(correlation))
}

/// Like [`refusal`], with a status that no [`ErrorKind`] has.
#[must_use]
pub fn mismatch(status: StatusCode, message: &str, correlation: &CorrelationId) -> Response {
    HttpError::Mismatch(status, message.to_owned()).respond(Some(correlation))
}

impl<E: Into<service::Error>> From<E> for HttpError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// The text of a refusal, with its fields under their legacy names.
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

/// The legacy name of a field.
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

/// Capitalizes the text and removes its full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.trim_end_matches('.').chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
