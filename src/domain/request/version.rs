//! The version of a request and its entity tag.

use std::fmt;

/// The number of changes of a request, from 1. It equals the number of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// The version of a new request.
    pub const FIRST: Self = Self(1);

    /// The version with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The tag of a version as callers see it (AIP-154; `ETag` of RFC 9110 when quoted).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag(Version);

impl ETag {
    /// Parses a tag that this service issued; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.strip_prefix('v')?;
        let canonical = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        canonical.then(|| number.parse().ok()).flatten().map(|number| Self(Version(number)))
    }

    /// The tag of a version.
    pub(super) const fn of(version: Version) -> Self {
        Self(version)
    }

    /// The version behind the tag.
    #[must_use]
    pub const fn version(self) -> Version {
        self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ETag, Version};

    #[test]
    fn a_tag_that_was_given_out_is_understood() {
        for number in [1, 9, 10, u32::MAX] {
            let tag = ETag(Version::new(number));
            assert_eq!(ETag::parse(&tag.to_string()), Some(tag));
        }
    }

    #[test]
    fn a_tag_that_was_never_given_out_is_not_understood() {
        for text in
            ["", "v", "1", "V1", "v0", "v01", "v+1", "v-1", "v1 ", " v1", "\"v1\"", "W/\"v1\"", "v4294967296", "*"]
        {
            assert_eq!(ETag::parse(text), None, "{text:?}");
        }
    }
}
