//! What a caller may keep of an answer: nothing. A caller that kept one nevertheless asks with `If-None-Match` whether it
//! is still current.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, IF_NONE_MATCH, PRAGMA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

/// Headers that keep every cache from storing an answer, those of HTTP/1.0 and of Windows included: without them the
/// HTTP stacks of Windows serve old answers to a GET.
const NOT_STORED: [(HeaderName, HeaderValue); 3] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (PRAGMA, HeaderValue::from_static("no-cache")),
    (EXPIRES, HeaderValue::from_static("-1")),
];

/// Adds what every answer of the facade has, whoever gave it.
pub fn complete<B>(response: &mut http::Response<B>) {
    response.headers_mut().extend(NOT_STORED);
}

/// The entity tags for which a caller wants no body.
pub(super) struct Known(Vec<HeaderValue>);

impl Known {
    /// The tags of a call; none, if it does not only read.
    pub(super) fn of(request: &Request<Body>) -> Self {
        let is_read = request.method() == Method::GET;
        Self(if is_read { given(request.headers()) } else { Vec::new() })
    }

    /// The answer, or 304 in its place if the caller has it already (RFC 9110, 13.1.2).
    pub(super) fn spare(&self, response: Response) -> Response {
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

fn given(headers: &HeaderMap) -> Vec<HeaderValue> {
    headers.get_all(IF_NONE_MATCH).iter().cloned().collect()
}

/// Whether a list of entity tags has this one. The comparison is weak, and `*` has every one.
fn lists(list: &[u8], tag: Option<&[u8]>) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some(tag) = tag.and_then(|tag| Tags(tag).next()) else { return false };
    Tags(list).any(|given| given == tag)
}

/// The opaque parts of a list of entity tags. A tag may hold commas; some clients leave its quotes out.
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

/// What comes before the first of these bytes, and what after it.
fn split(bytes: &[u8], is_end: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(is_end);
    end.map_or((bytes, &[]), |end| (&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::lists;

    #[test]
    fn a_list_has_a_tag_whether_weak_or_strong() {
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
    fn a_list_has_no_other_tag() {
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
