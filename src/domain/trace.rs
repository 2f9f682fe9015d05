//! What connects a call with the systems around it: its correlation id and its trace context.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

/// Maximum length of a correlation id, in bytes.
const CORRELATION_MAX: usize = 128;

/// Identifies one call in its response, in the log and in error reports of callers: 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct CorrelationId(Arc<str>);

/// A text is not a correlation id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must have 1 to {CORRELATION_MAX} visible ASCII characters")]
pub struct NotACorrelationId;

/// The ids with which the caller recognises a call, copied to the event that the call causes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The correlation id that the caller chose; `None` if the service generated it.
    pub correlation: Option<CorrelationId>,
    /// Position in the caller's trace (W3C Trace Context).
    pub traceparent: Option<String>,
    /// Data of the tracing systems on the way (W3C Trace Context).
    pub tracestate: Option<String>,
}

impl CorrelationId {
    /// The id of a call whose caller chose none.
    #[must_use]
    pub fn of_uuid(id: Uuid) -> Self {
        Self(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())[..].into())
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CorrelationId {
    type Err = NotACorrelationId;

    fn from_str(text: &str) -> Result<Self, NotACorrelationId> {
        let is_valid = (1..=CORRELATION_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(text.into())) } else { Err(NotACorrelationId) }
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::CorrelationId;

    #[test]
    fn a_correlation_id_is_visible_ascii() {
        let longest = "x".repeat(128);
        for text in ["1", "order-17/step:3", "{\"a\"}", "~!", &longest] {
            assert_eq!(text.parse::<CorrelationId>().unwrap().as_str(), text);
        }
        for text in ["", " ", "a b", "a\n", "\u{7f}", "é", &"x".repeat(129)] {
            assert!(text.parse::<CorrelationId>().is_err(), "{text:?}");
        }
        assert_eq!(CorrelationId::of_uuid(Uuid::nil()).as_str(), "00000000-0000-0000-0000-000000000000");
    }
}
