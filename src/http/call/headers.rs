//! The headers of every call: correlation id, timeout and trace context.

use std::time::Duration;

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName};
use uuid::Uuid;

use super::Transport;
use crate::domain::CorrelationId;

/// Header of the correlation id: in every response, and in a request whose caller chooses the id.
pub const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING_HEADER: HeaderName = HeaderName::from_static("grpc-encoding");
const TRACEPARENT_HEADER: HeaderName = HeaderName::from_static("traceparent");

/// Maximum number of digits of a `grpc-timeout`.
const TIMEOUT_DIGITS: usize = 8;
/// Length of a `traceparent` of version 00; later versions may only append to it.
const TRACEPARENT_LENGTH: usize = 55;
/// Limit on a `traceparent`, in bytes; it becomes a header of a Kafka record.
const TRACEPARENT_MAX: usize = 512;

/// The correlation id that the caller sent, or a new one.
pub(super) fn correlation(headers: &HeaderMap) -> CorrelationId {
    let given = headers.get(CORRELATION_HEADER).and_then(|value| Uuid::try_parse_ascii(value.as_bytes()).ok());
    CorrelationId::new(given.unwrap_or_else(Uuid::new_v4))
}

/// The caller's timeout; `None` if it is absent or violates the gRPC specification.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    parse_timeout(headers.get(TIMEOUT_HEADER)?.to_str().ok()?)
}

/// The W3C trace context of the caller; `None` if it is absent, malformed or too long.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACEPARENT_HEADER)?.to_str().ok()?;
    (text.len() <= TRACEPARENT_MAX && is_traceparent(text)).then(|| text.to_owned())
}

/// Whether the body is compressed with gzip alone; then removes the header that says so. The transports refuse other codings.
pub(super) fn take_gzip(transport: Transport, headers: &mut HeaderMap) -> bool {
    let name = match transport {
        Transport::Grpc => GRPC_ENCODING_HEADER,
        Transport::Legacy | Transport::Rest => CONTENT_ENCODING,
    };
    let mut codings = headers.get_all(&name).iter();
    let is_gzip = codings.next().is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let is_alone = codings.next().is_none();
    is_gzip && is_alone && headers.remove(name).is_some()
}

/// `TimeoutValue TimeoutUnit` of "gRPC over HTTP2": 1 to 8 digits and one of `HMSmun`.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > TIMEOUT_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(value)),
        "M" => Some(Duration::from_mins(value)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// `version "-" trace-id "-" parent-id "-" trace-flags` in lower-case hex; neither id is all zeros, no version is `ff`.
fn is_traceparent(text: &str) -> bool {
    let Some((context, rest)) = text.split_at_checked(TRACEPARENT_LENGTH) else { return false };
    let mut fields = context.split('-');
    let mut next = |length: usize| fields.next().filter(|field| field.len() == length && is_lower_hex(field));
    let (Some(version), Some(trace), Some(parent), Some(_flags)) = (next(2), next(32), next(16), next(2)) else {
        return false;
    };
    let is_zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    let may_end = rest.is_empty() || version != "00" && rest.starts_with('-');
    version != "ff" && may_end && !is_zero(trace) && !is_zero(parent)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests;
