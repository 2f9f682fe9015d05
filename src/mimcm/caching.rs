//! Caching: no answer may be stored, and a caller that has a representation already gets 304 in place of its body.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, IF_NONE_MATCH, PRAGMA};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};

/// Headers that forbid every cache to store an answer, also those of HTTP/1.0. Without them, the HTTP stacks of Windows answer
/// a GET with stale data.
const NO_STORE: [(HeaderName, HeaderValue); 3] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (PRAGMA, HeaderValue::from_static("no-cache")),
    (EXPIRES, HeaderValue::from_static("-1")),
];

/// Adds the headers that every answer over REST has, including those that the facade does not give itself.
pub fn complete<B>(response: &mut http::Response<B>) {
    response.headers_mut().extend(NO_STORE);
}

/// The header `If-None-Match` of a call.
pub(super) struct IfNoneMatch(Vec<HeaderValue>);

impl IfNoneMatch {
    /// Reads the header; it is empty for any method but GET.
    pub(super) fn of(request: &Request<Body>) -> Self {
        if request.method() != Method::GET {
            return Self(Vec::new());
        }
        Self(request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    /// Replaces an answer by 304 if the header lists its entity tag (RFC 9110, 13.1.2).
    pub(super) fn apply(&self, response: Response) -> Response {
        if response.status() != StatusCode::OK {
            return response;
        }
        let tag = response.headers().get(ETAG);
        if !self.0.iter().any(|value| lists(value.as_bytes(), tag.map(HeaderValue::as_bytes))) {
            return response;
        }
        let mut unchanged = StatusCode::NOT_MODIFIED.into_response();
        if let Some(tag) = tag {
            unchanged.headers_mut().insert(ETAG, tag.clone());
        }
        unchanged
    }
}

/// Whether a list of entity tags contains this one, by weak comparison. `*` matches any representation.
fn lists(list: &[u8], tag: Option<&[u8]>) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some(tag) = tag.and_then(|tag| Tags(tag).next()) else { return false };
    Tags(list).any(|given| given == tag)
}

/// The opaque parts of a list of entity tags. A quoted tag may contain commas; some clients omit the quotes.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let between = |byte: &u8| matches!(byte, b',' | b' ' | b'\t');
        let begin = self.0.iter().position(|byte| !between(byte))?;
        let rest = &self.0[begin..];
        let rest = rest.strip_prefix(b"W/").unwrap_or(rest);
        let (tag, rest) = match rest {
            [b'"', rest @ ..] => split(rest, |byte| *byte == b'"'),
            rest => split(rest, between),
        };
        self.0 = rest;
        Some(tag)
    }
}

/// Splits at the first byte that ends a tag.
fn split(bytes: &[u8], is_end: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(is_end);
    end.map_or((bytes, &[]), |end| (&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::lists;

    #[test]
    fn a_list_contains_a_tag_whether_weak_or_strong() {
        for list in [
            "\"v3\"",
            "W/\"v3\"",
            "\"v1\", \"v3\"",
            "\"v1\",W/\"v3\"",
            " , \"v3\" ,",
            "v3",
            "\"a,b\", \"v3\"",
            "*",
            " * ",
        ] {
            assert!(lists(list.as_bytes(), Some(b"\"v3\"")), "{list}");
        }
        assert!(lists(b"\"v3\"", Some(b"W/\"v3\"")));
    }

    #[test]
    fn a_list_contains_no_other_tag() {
        for list in ["", "\"v30\"", "\"v\"", "\"V3\"", "w/\"v3\"", "\"*\"", "\"a,v3\"", "W/", "\"\""] {
            assert!(!lists(list.as_bytes(), Some(b"\"v3\"")), "{list}");
        }
        assert!(!lists(b"\"v3\"", None));
        assert!(lists(b"*", None));
    }

    proptest! {
        #[test]
        fn no_list_is_too_odd(list: Vec<u8>) {
            let _ = lists(&list, Some(b"\"v3\""));
        }
    }
}
