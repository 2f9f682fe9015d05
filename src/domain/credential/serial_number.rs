//! The serial number of a smart card.

use std::fmt;

use uuid::Uuid;

/// The number of a card as its middleware reports it. Most are GUIDs, which are normalized.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(String);

impl SerialNumber {
    /// Longest id, in characters.
    pub const MAX_CHARS: usize = 128;

    /// Parses a number; in messages the error follows the field name.
    pub(in crate::domain) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim_matches(' ');
        if let Ok(guid) = Uuid::try_parse(text) {
            return Ok(Self(guid.to_string()));
        }
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > Self::MAX_CHARS || !is_visible {
            return Err(format!("must be 1 to {} visible ASCII characters", Self::MAX_CHARS));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a GUID.
    #[must_use]
    pub fn is_guid(&self) -> bool {
        Uuid::try_parse(&self.0).is_ok()
    }
}

impl TryFrom<String> for SerialNumber {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text)
    }
}

impl From<SerialNumber> for String {
    fn from(id: SerialNumber) -> Self {
        id.0
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
