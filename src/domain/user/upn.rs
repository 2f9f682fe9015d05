//! User principal names of Active Directory (MS-ADA3, `userPrincipalName`).

use std::fmt;

/// A user principal name, such as `alice@corp.example`, in the form by which names are compared, without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upn(String);

impl Upn {
    /// Longest name, in characters (`rangeUpper` of the attribute).
    pub const MAX_CHARS: usize = 1_024;

    /// Reads a name with an `@` between two parts that are not empty; `None` if it is none, is too long, or has blanks around it or
    /// control characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (user, suffix) = text.rsplit_once('@')?;
        let is_short = text.chars().nth(Self::MAX_CHARS).is_none();
        let is_clean = !text.chars().any(char::is_control) && text.trim().len() == text.len();
        (!user.is_empty() && !suffix.is_empty() && is_short && is_clean).then(|| Self(fold(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Upn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Replaces each upper-case letter by its lower-case form if that is one character. A letter outside ASCII never becomes one of
/// ASCII: the Kelvin sign, whose lower-case form is `k`, must not pass for it in another account's name.
pub(super) fn fold(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

fn fold_char(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    let mut lower = letter.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) if !only.is_ascii() => only,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::{Upn, fold};

    #[test]
    fn case_does_not_matter() {
        for (text, folded) in [
            ("Alice@CORP.Example", "alice@corp.example"),
            ("ÄNNE@corp.example", "änne@corp.example"),
            ("ИВАН@corp.example", "иван@corp.example"),
            ("a@b@corp.example", "a@b@corp.example"),
            ("alice_corp.example#EXT#@tenant.example", "alice_corp.example#ext#@tenant.example"),
        ] {
            assert_eq!(Upn::parse(text).unwrap().as_str(), folded, "{text}");
        }
    }

    #[test]
    fn no_other_letter_passes_for_one_of_ascii() {
        // The Kelvin sign becomes `k` in `str::to_lowercase`, and the dotted capital I an `i` with a combining dot.
        for text in ["\u{212a}arl@corp.example", "\u{130}van@corp.example"] {
            let upn = Upn::parse(text).unwrap();
            assert_eq!(upn.as_str(), text);
        }
    }

    #[test]
    fn what_is_not_a_name_is_not_read_as_one() {
        let longest = format!("{}@corp.example", "ä".repeat(Upn::MAX_CHARS - 13));
        assert!(Upn::parse(&longest).is_some());
        for text in ["", "alice", "@", "alice@", "@corp.example", " alice@corp.example", "a\0b@corp", "a\n@corp"] {
            assert_eq!(Upn::parse(text), None, "{text:?}");
        }
        assert_eq!(Upn::parse(&format!("ä{longest}")), None, "too long");
    }

    proptest! {
        #[test]
        fn a_name_is_read_as_it_is_written(text in "[^\\pC ]{0,8}@[^\\pC ]{0,8}") {
            if let Some(upn) = Upn::parse(&text) {
                prop_assert_eq!(Upn::parse(upn.as_str()), Some(upn));
            }
        }

        #[test]
        fn folding_keeps_the_letters_of_ascii_apart_from_all_others(text in "\\PC{0,16}") {
            let (before, after) = (text.chars(), fold(&text));
            prop_assert!(before.zip(after.chars()).all(|(one, other)| one.is_ascii() == other.is_ascii()));
        }
    }
}
