//! What is known of a smart card as a thing: the id that its maker gave it, and what it answers to a reset.

use std::fmt;

use uuid::Uuid;

use super::Refusal;

/// A smart card as a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The id on the card.
    pub card_id: CardId,
    /// Its answer to reset; empty if it was not told.
    pub atr: Atr,
}

/// The id of a card, as its middleware tells it. Most are GUIDs, and those are kept in one form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardId(String);

impl CardId {
    /// Longest id, in characters.
    pub const MAX_CHARS: usize = 128;

    /// Checks an id that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, unless the id is 1 to 128 visible ASCII characters, spaces around it aside.
    pub fn parse(field: &str, text: &str) -> Result<Self, Refusal> {
        Self::read(text).map_err(|problem| Refusal::invalid(field, problem))
    }

    fn read(text: &str) -> Result<Self, String> {
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

impl TryFrom<String> for CardId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text)
    }
}

impl From<CardId> for String {
    fn from(id: CardId) -> Self {
        id.0
    }
}

impl fmt::Display for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a card answers to a reset (ISO 7816-3), in lower-case hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Atr(String);

impl Atr {
    /// Most bytes of an answer, its first one counted (ISO 7816-3, 8.2).
    pub const MAX_BYTES: usize = 33;

    /// Checks an answer that arrived in `field`; blanks between its bytes are left out.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, unless it is at most 33 bytes in hexadecimal digits.
    pub fn parse(field: &str, text: &str) -> Result<Self, Refusal> {
        Self::read(text).map_err(|problem| Refusal::invalid(field, problem))
    }

    fn read(text: &str) -> Result<Self, String> {
        let digits: String = text.split_whitespace().collect();
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit()) && digits.len().is_multiple_of(2);
        if !is_hex || digits.len() > 2 * Self::MAX_BYTES {
            return Err(format!("must be at most {} bytes in hexadecimal digits", Self::MAX_BYTES));
        }
        Ok(Self(digits.to_ascii_lowercase()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Atr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text)
    }
}

impl From<Atr> for String {
    fn from(atr: Atr) -> Self {
        atr.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Atr, CardId};

    #[test]
    fn a_card_id_that_is_a_guid_has_one_form() {
        for text in [
            "BC88F13F-83BA-4037-8262-46EBA1291C6E",
            "{bc88f13f-83ba-4037-8262-46eba1291c6e}",
            " bc88f13f83ba4037826246eba1291c6e ",
        ] {
            let id = CardId::parse("cardid", text).unwrap();
            assert_eq!((id.as_str(), id.is_guid()), ("bc88f13f-83ba-4037-8262-46eba1291c6e", true), "{text}");
        }
        let other = CardId::parse("cardid", " ACME-0001 ").unwrap();
        assert_eq!((other.as_str(), other.is_guid()), ("ACME-0001", false));
    }

    #[test]
    fn what_is_no_card_id_is_refused() {
        for text in ["", " ", "\u{a0}1", "1\t", "two words", "nul\0", "größer", &"7".repeat(129)] {
            assert!(CardId::parse("cardid", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_answer_to_reset_is_bytes_in_hexadecimal_digits() {
        let longest = "3b".repeat(33);
        for (text, expected) in [("", ""), ("3B 8D 01", "3b8d01"), (longest.as_str(), longest.as_str())] {
            assert_eq!(Atr::parse("atr", text).unwrap().as_str(), expected);
        }
        for text in ["3b8", "xy", "3b-8d", &"3b".repeat(34)] {
            assert!(Atr::parse("atr", text).is_err(), "{text:?}");
        }
    }
}
