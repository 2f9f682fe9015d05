//! The headers of a write: under which key it acts once, and on which version it acts.

use http::HeaderMap;
use http::header::IF_MATCH;

use crate::domain::{ETag, IdempotencyKey, Refusal, Version};
use crate::service::Call;

/// Header with the key under which a call acts once.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The version that no request has; every request has changed since it.
const NO_VERSION: Version = Version::new(0);

/// The key under which the call acts once.
///
/// # Errors
/// [`Refusal::Invalid`] naming the header, if it is given twice or holds no key.
pub(super) fn idempotency_key(headers: &HeaderMap, call: &Call) -> Result<Option<IdempotencyKey>, Refusal> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Refusal::invalid(IDEMPOTENCY_KEY, "must be given once"));
    }
    // What is not visible ASCII is refused by the key itself.
    IdempotencyKey::parse(IDEMPOTENCY_KEY, call.caller.user, key.to_str().unwrap_or_default()).map(Some)
}

/// The version that the call is about (RFC 9110, 13.1.1); `None` if any will do. A weak tag, and one that this service
/// never gave out, match no version.
///
/// # Errors
/// [`Refusal::Invalid`] naming the header, if it lists several tags.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Version>, Refusal> {
    let mut given = headers.get_all(IF_MATCH).iter();
    let Some(tag) = given.next() else { return Ok(None) };
    let tag = tag.to_str().unwrap_or_default().trim();
    if given.next().is_some() || tag.contains(',') {
        return Err(Refusal::invalid("If-Match", "must hold one entity tag, or *"));
    }
    if tag == "*" {
        return Ok(None);
    }
    let opaque = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    Ok(Some(ETag::parse(opaque).map_or(NO_VERSION, ETag::version)))
}

#[cfg(test)]
mod tests {
    use http::header::IF_MATCH;
    use http::{HeaderMap, HeaderValue};

    use super::{NO_VERSION, if_match};
    use crate::domain::{Refusal, Version};

    fn of(tags: &[&'static str]) -> Result<Option<Version>, Refusal> {
        let mut headers = HeaderMap::new();
        for tag in tags {
            headers.append(IF_MATCH, HeaderValue::from_static(tag));
        }
        if_match(&headers)
    }

    #[test]
    fn a_tag_that_was_given_out_names_its_version() {
        assert_eq!(of(&["\"v3\""]), Ok(Some(Version::new(3))));
        assert_eq!(of(&[" v3 "]), Ok(Some(Version::new(3))), "some clients leave the quotes out");
    }

    #[test]
    fn without_a_tag_any_version_will_do() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["*"]), Ok(None));
    }

    #[test]
    fn another_tag_matches_no_version() {
        for tag in ["W/\"v3\"", "\"3\"", "\"\"", "", "xyzzy"] {
            assert_eq!(of(&[tag]), Ok(Some(NO_VERSION)), "{tag}");
        }
    }

    #[test]
    fn several_tags_are_refused() {
        let expected = Err(Refusal::invalid("If-Match", "must hold one entity tag, or *"));
        assert_eq!(of(&["\"v1\", \"v2\""]), expected);
        assert_eq!(of(&["\"v1\"", "\"v2\""]), expected);
    }
}
