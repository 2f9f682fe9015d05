//! The answer to reset of a smart card.

use crate::domain::Refusal;

/// The answer to reset of a card (ISO 7816-3), in lower-case hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Atr(String);

impl Atr {
    /// Maximum length in bytes, including TS (ISO 7816-3, 8.2).
    pub const MAX_BYTES: usize = 33;

    /// Checks an answer to reset that arrived in `field`; blanks between bytes are ignored.
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
    use super::Atr;

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
