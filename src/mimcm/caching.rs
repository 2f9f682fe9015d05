//! Caching: forbids caches to store answers, and answers 304 to a GET whose `If-None-Match` lists the current entity tag.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, IF_NONE_MATCH, PRAGMA};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};

/// Headers that forbid every cache, including HTTP/1.0 caches, to store an answer. Without them, Windows HTTP stacks answer a
/// GET from their own cache with stale data.
const NO_STORE: [(HeaderName, HeaderValue); 3] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (PRAGMA, HeaderValue::from_static("no-cache")),
    (EXPIRES, HeaderValue::from_static("-1")),
];

/// Adds the caching headers, which every REST answer has, including answers that the facade does not build.
pub fn add_caching_headers<B>(response: &mut http::Response<B>) {
    let headers = response.headers_mut();
    // One allocation for these and the headers that the caller adds.
    headers.reserve(NO_STORE.len() + 1);
    headers.extend(NO_STORE);
}

/// The header `If-None-Match` of a call.
pub(super) struct IfNoneMatch(Vec<HeaderValue>);

impl IfNoneMatch {
    /// Reads the header; for any method other than GET it counts as absent.
    pub(super) fn of(request: &Request<Body>) -> Self {
        if request.method() != Method::GET {
            return Self(Vec::new());
        }
        Self(request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    /// Replaces a 200 with 304 if the header lists its entity tag (RFC 9110, 13.1.2).
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

/// Whether a list of entity tags contains this tag, by weak comparison. `*` matches any representation.
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
    fn weak_and_strong_tags_match() {
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
    fn different_tags_do_not_match() {
        for list in ["", "\"v30\"", "\"v\"", "\"V3\"", "w/\"v3\"", "\"*\"", "\"a,v3\"", "W/", "\"\""] {
            assert!(!lists(list.as_bytes(), Some(b"\"v3\"")), "{list}");
        }
        assert!(!lists(b"\"v3\"", None));
        assert!(lists(b"*", None));
    }

    proptest! {
        #[test]
        fn no_list_panics(list: Vec<u8>) {
            let _ = lists(&list, Some(b"\"v3\""));
        }
    }
}
