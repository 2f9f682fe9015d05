//! Parsers of values that refusals carry: each names the field in which the value arrived.
//!
//! They stand apart from their types, which a refusal has to know.

use super::{IdempotencyKey, Refusal, SerialNumber, Sid, Upn, UserId};

impl SerialNumber {
    /// Checks an id that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, unless the id is 1 to 128 visible ASCII characters, spaces around it aside.
    pub fn parse(field: &str, text: &str) -> Result<Self, Refusal> {
        Self::read(text).map_err(|problem| Refusal::invalid(field, problem))
    }
}

impl IdempotencyKey {
    /// Checks a key that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, unless the key is 1 to 128 visible ASCII characters.
    pub fn parse(field: &str, user: UserId, key: &str) -> Result<Self, Refusal> {
        Self::read(user, key).map_err(|problem| Refusal::invalid(field, problem))
    }
}

impl UserId {
    /// Checks the id of a user to import that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, if no directory assigns such an id.
    pub fn check_assigned(field: &str, id: Self) -> Result<Self, Refusal> {
        if id.uuid().is_nil() || id.uuid().is_max() {
            return Err(Refusal::invalid(field, "must identify a user"));
        }
        if id.is_derived() {
            return Err(Refusal::invalid(
                field,
                "must not have version 8, as ids have that the service makes from subjects",
            ));
        }
        Ok(id)
    }
}

impl Sid {
    /// Reads a security identifier that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, unless the text is a security identifier.
    pub fn parse_in(field: &str, text: &str) -> Result<Self, Refusal> {
        Self::parse(text).ok_or_else(|| Refusal::invalid(field, "must be a SID (S-1-...)"))
    }
}

impl Upn {
    /// Reads a user principal name that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, unless the text is a user principal name.
    pub fn parse_in(field: &str, text: &str) -> Result<Self, Refusal> {
        let problem = format!("must be a user principal name (user@suffix) of at most {} characters", Self::MAX_CHARS);
        Self::parse(text).ok_or_else(|| Refusal::invalid(field, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::{IdempotencyKey, SerialNumber};
    use crate::domain::Refusal;
    use crate::domain::fixtures::{STRANGER, TARGET};

    #[test]
    fn a_serial_number_that_is_a_guid_has_one_form() {
        for text in [
            "BC88F13F-83BA-4037-8262-46EBA1291C6E",
            "{bc88f13f-83ba-4037-8262-46eba1291c6e}",
            " bc88f13f83ba4037826246eba1291c6e ",
        ] {
            let id = SerialNumber::parse("cardid", text).unwrap();
            assert_eq!((id.as_str(), id.is_guid()), ("bc88f13f-83ba-4037-8262-46eba1291c6e", true), "{text}");
        }
        let other = SerialNumber::parse("cardid", " ACME-0001 ").unwrap();
        assert_eq!((other.as_str(), other.is_guid()), ("ACME-0001", false));
    }

    #[test]
    fn what_is_no_serial_number_is_refused() {
        for text in ["", " ", "\u{a0}1", "1\t", "two words", "nul\0", "größer", &"7".repeat(129)] {
            assert!(SerialNumber::parse("cardid", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_visible_ascii_within_limits() {
        let longest = "k".repeat(IdempotencyKey::MAX_CHARS);
        for key in ["8e03978e-40d5-43dd-bc93-6894a57f9324", "~!", longest.as_str()] {
            assert_eq!(IdempotencyKey::parse("key", TARGET, key).unwrap().as_str(), key);
        }
        let too_long = longest + "k";
        for key in ["", " ", "two words", "tab\t", "nul\0", "schlüssel", too_long.as_str()] {
            let expected = Refusal::invalid("key", "must be 1 to 128 visible ASCII characters");
            assert_eq!(IdempotencyKey::parse("key", TARGET, key), Err(expected), "{key:?}");
        }
    }

    #[test]
    fn keys_of_different_callers_never_meet() {
        let key = |user| IdempotencyKey::parse("key", user, "same").unwrap();
        assert_eq!(key(TARGET), key(TARGET));
        assert_ne!(key(TARGET), key(STRANGER));
    }
}
