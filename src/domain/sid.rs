//! Security identifiers of Windows in text form (MS-DTYP 2.4.2).

use std::fmt::{self, Write};

use serde::Deserialize;

/// A Windows security identifier in text form, for example `S-1-5-21-1-2-3-500`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Sid(String);

impl Sid {
    /// Reads `S-1-<authority>-<sub-authority>...` with 1 to 15 sub-authorities (MS-DTYP 2.4.2.1). The result is the
    /// canonical form that Windows writes, so equal identifiers are equal texts.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        if !parts.next()?.eq_ignore_ascii_case("S") || parts.next()? != "1" {
            return None;
        }
        let authority = number(parts.next()?).filter(|authority| *authority < 1 << 48)?;
        let mut sid = String::with_capacity(text.len());
        // Writing to a String cannot fail; so below.
        let _ = write!(sid, "S-1-{authority}");
        let mut subs = 0;
        for part in parts {
            let sub: u32 = number(part)?.try_into().ok()?;
            let _ = write!(sid, "-{sub}");
            subs += 1;
        }
        (1..=15).contains(&subs).then_some(Self(sid))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Accepts digits only; `str::parse` would accept a sign.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl TryFrom<String> for Sid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not a SID (S-1-...)"))
    }
}

impl From<Sid> for String {
    fn from(sid: Sid) -> Self {
        sid.0
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Sid;

    #[test]
    fn a_sid_is_written_in_one_form() {
        for (text, expected) in [
            ("S-1-1-0", "S-1-1-0"),
            ("s-1-5-32-544", "S-1-5-32-544"),
            ("S-1-05-032-0544", "S-1-5-32-544"),
            ("S-1-5-21-2127521184-1604012920-1887927527-500", "S-1-5-21-2127521184-1604012920-1887927527-500"),
            ("S-1-281474976710655-4294967295", "S-1-281474976710655-4294967295"),
            ("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15", "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15"),
        ] {
            assert_eq!(Sid::parse(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_sid_is_not_read_as_one() {
        for text in [
            "",
            "S",
            "S-1",
            "S-1-5",
            "S-1-5-",
            "S-2-5-1",
            "X-1-5-1",
            "S-1--1",
            "S-1-+5-1",
            "S-1-5-+1",
            "S-1-5-1 ",
            "S-1-5-4294967296",
            "S-1-281474976710656-1",
            "S-1-99999999999999999999-1",
            "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16",
            "S-1-5-1)(A;;GA;;;WD",
        ] {
            assert_eq!(Sid::parse(text), None, "{text:?}");
        }
    }
}
