//! The headers of every call: correlation id, timeout and trace context.

use std::collections::HashSet;
use std::time::Duration;

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName};

use super::Transport;
use crate::domain::{CorrelationId, Trace};

/// Header of the correlation id: in every response, and in a request whose caller chooses the id.
pub const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING_HEADER: HeaderName = HeaderName::from_static("grpc-encoding");
const TRACEPARENT_HEADER: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE_HEADER: HeaderName = HeaderName::from_static("tracestate");

/// Maximum number of digits of a `grpc-timeout`.
const TIMEOUT_DIGITS: usize = 8;
/// Length of a `traceparent` of version 00; later versions may only append to it.
const TRACEPARENT_LENGTH: usize = 55;
/// Limit on a `traceparent`, in bytes; it becomes a header of a Kafka record.
const TRACEPARENT_MAX: usize = 512;
/// Limit on a `tracestate`, in bytes: what every system should propagate (W3C Trace Context, 3.3.1.5).
const TRACESTATE_MAX: usize = 512;
/// Limit on the members of a `tracestate` (W3C Trace Context, 3.3.1.1).
const TRACESTATE_MEMBERS: usize = 32;
/// Limit on the key and on the value of a member, in characters.
const TRACESTATE_FIELD_MAX: usize = 256;

/// The correlation id that the caller sent; `None` if it is absent or invalid.
pub(super) fn correlation(headers: &HeaderMap) -> Option<CorrelationId> {
    headers.get(CORRELATION_HEADER)?.to_str().ok()?.parse().ok()
}

/// The ids that the caller sent.
pub(super) fn trace(headers: &HeaderMap) -> Trace {
    let traceparent = traceparent(headers);
    // Without a valid traceparent, the state has no meaning (W3C Trace Context, 3.3).
    let tracestate = traceparent.is_some().then(|| tracestate(headers)).flatten();
    Trace { correlation: correlation(headers), traceparent, tracestate }
}

/// The caller's timeout; `None` if it is absent or violates the gRPC specification.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    parse_timeout(headers.get(TIMEOUT_HEADER)?.to_str().ok()?)
}

/// The id of a valid trace context.
pub(super) fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}

/// The state of the caller's trace, whose headers are joined (W3C Trace Context, 3.3); `None` if it is absent, invalid or too
/// long.
fn tracestate(headers: &HeaderMap) -> Option<String> {
    let members: Vec<&str> =
        headers.get_all(TRACESTATE_HEADER).iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    let text = members.join(",");
    (text.len() <= TRACESTATE_MAX && is_tracestate(&text)).then_some(text)
}

/// The W3C trace context of the caller; `None` if it is absent, malformed or too long.
fn traceparent(headers: &HeaderMap) -> Option<String> {
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

/// A list of 1 to 32 members `key "=" value` with distinct keys; members may be empty (W3C Trace Context, 3.3.1).
fn is_tracestate(text: &str) -> bool {
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let mut keys = HashSet::new();
    for member in members {
        let Some((key, value)) = member.split_once('=') else { return false };
        if !is_tracestate_key(key) || !is_tracestate_value(value) || !keys.insert(key) {
            return false;
        }
    }
    (1..=TRACESTATE_MEMBERS).contains(&keys.len())
}

/// Starts with a letter or digit; then also `_`, `-`, `*`, `/` and `@`, up to 256 characters.
fn is_tracestate_key(key: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= TRACESTATE_FIELD_MAX
        && key.bytes().next().is_some_and(is_first)
        && key.bytes().all(|byte| is_first(byte) || b"_-*/@".contains(&byte))
}

/// Printable ASCII without `,` and `=`, up to 256 characters.
fn is_tracestate_value(value: &str) -> bool {
    let is_valid = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    (1..=TRACESTATE_FIELD_MAX).contains(&value.len()) && value.bytes().all(is_valid)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests;
