//! Headers of write calls: the idempotency key and the preconditions.

use http::HeaderMap;
use http::header::{IF_MATCH, IF_NONE_MATCH};

use super::error::HttpError;
use crate::domain::{ETag, IdempotencyKey, Refusal, Version};
use crate::service::Call;

/// Name of the header with the idempotency key.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What `If-Match` requires of the current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Any version.
    Any,
    /// This version.
    Version(Version),
    /// No version: the tag cannot match, for this reason.
    Never(&'static str),
}

impl Expected {
    /// The required version; `None` for any.
    ///
    /// # Errors
    /// [`HttpError::NeverMatches`].
    pub(super) fn version(self) -> Result<Option<Version>, HttpError> {
        match self {
            Self::Any => Ok(None),
            Self::Version(version) => Ok(Some(version)),
            Self::Never(why) => Err(HttpError::NeverMatches(why)),
        }
    }
}

/// Reads the idempotency key.
///
/// # Errors
/// [`Refusal::Invalid`] naming the header, if it is given twice or is not a valid key.
pub(super) fn idempotency_key(headers: &HeaderMap, call: &Call) -> Result<Option<IdempotencyKey>, Refusal> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Refusal::invalid(IDEMPOTENCY_KEY, "must be given once"));
    }
    // `parse` refuses the empty string, which stands for a value that is not visible ASCII.
    IdempotencyKey::parse(IDEMPOTENCY_KEY, call.caller.user, key.to_str().unwrap_or_default()).map(Some)
}

/// Reads `If-Match` (RFC 9110, 13.1.1).
///
/// # Errors
/// [`Refusal::Invalid`] naming the header, if it lists several tags.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Expected, Refusal> {
    let mut given = headers.get_all(IF_MATCH).iter();
    let Some(tag) = given.next() else { return Ok(Expected::Any) };
    let tag = tag.to_str().unwrap_or_default().trim();
    if given.next().is_some() || tag.contains(',') {
        return Err(Refusal::invalid("If-Match", "must hold one entity tag, or *"));
    }
    if tag == "*" {
        return Ok(Expected::Any);
    }
    if tag.starts_with("W/") {
        return Ok(Expected::Never(
            "If-Match has a weak entity tag, and weak tags never match; send the ETag without W/",
        ));
    }
    let opaque = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    let expected = ETag::parse(opaque).map(|tag| Expected::Version(tag.version()));
    Ok(expected.unwrap_or(Expected::Never("If-Match has an entity tag that is not an ETag of this service")))
}

/// Checks that a change has no `If-None-Match`, which the service does not support for changes.
///
/// # Errors
/// [`Refusal::Invalid`] naming the header.
pub(super) fn no_if_none_match(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(IF_NONE_MATCH) {
        return Err(Refusal::invalid(
            "If-None-Match",
            "must be absent in a change; If-Match names the version to change",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::header::IF_MATCH;
    use http::{HeaderMap, HeaderValue};

    use super::{Expected, if_match};
    use crate::domain::{Refusal, Version};

    fn of(tags: &[&'static str]) -> Result<Expected, Refusal> {
        let mut headers = HeaderMap::new();
        for tag in tags {
            headers.append(IF_MATCH, HeaderValue::from_static(tag));
        }
        if_match(&headers)
    }

    #[test]
    fn an_etag_of_the_service_names_its_version() {
        assert_eq!(of(&["\"v3\""]), Ok(Expected::Version(Version::new(3))));
        assert_eq!(of(&[" v3 "]), Ok(Expected::Version(Version::new(3))), "some clients omit the quotes");
    }

    #[test]
    fn without_a_tag_any_version_matches() {
        assert_eq!(of(&[]), Ok(Expected::Any));
        assert_eq!(of(&["*"]), Ok(Expected::Any));
    }

    #[test]
    fn other_tags_match_no_version() {
        for (tag, why) in [
            ("W/\"v3\"", "weak tags never match"),
            ("W/v3", "weak tags never match"),
            ("\"3\"", "not an ETag of this service"),
            ("\"\"", "not an ETag of this service"),
            ("", "not an ETag of this service"),
            ("xyzzy", "not an ETag of this service"),
        ] {
            let Ok(Expected::Never(reason)) = of(&[tag]) else { panic!("{tag} matches something") };
            assert!(reason.contains(why), "{tag}: {reason}");
        }
    }

    #[test]
    fn several_tags_are_refused() {
        let expected = Err(Refusal::invalid("If-Match", "must hold one entity tag, or *"));
        assert_eq!(of(&["\"v1\", \"v2\""]), expected);
        assert_eq!(of(&["\"v1\"", "\"v2\""]), expected);
    }
}
