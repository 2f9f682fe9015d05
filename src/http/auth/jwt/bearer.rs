//! The token of a request: step 1 of the check.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::rejection::Rejection;

/// The bearer token of a request (RFC 6750, 2.1); `None` if it has no `Authorization` header or one of another scheme. Tokens in
/// the query, the body or a cookie are ignored.
///
/// # Errors
/// [`Rejection::SeveralAuthorizations`], and [`Rejection::NotToken68`] if a single token does not follow the scheme.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::SeveralAuthorizations);
    }
    let bytes = value.as_bytes();
    let scheme = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    let credentials = value.to_str().ok().and_then(|text| text.split_once(' '));
    let token = credentials.map(|(_scheme, rest)| rest.trim_start_matches(' '));
    token.filter(|token| is_token68(token)).map(Some).ok_or(Rejection::NotToken68)
}

/// Whether a text is a `token68` (RFC 9110, 11.2).
fn is_token68(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !unpadded.is_empty() && unpadded.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderValue};

    use super::{Rejection, bearer};

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn the_scheme_has_any_case_and_any_number_of_spaces() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer    a.b.c"] {
            assert_eq!(bearer(&headers(&[value.as_bytes()])), Ok(Some("a.b.c")), "{value}");
        }
        assert_eq!(bearer(&headers(&[b"Bearer a-b_c~d+e/f=="])), Ok(Some("a-b_c~d+e/f==")));
    }

    #[test]
    fn no_header_and_another_scheme_are_no_token() {
        assert_eq!(bearer(&HeaderMap::new()), Ok(None));
        for value in
            [&b"Negotiate YII="[..], b"Basic Bearer", b"", b"Bearer\ta.b.c", b"a.b.c", b"Bearertoken", b"\xff x"]
        {
            assert_eq!(bearer(&headers(&[value])), Ok(None), "{value:?}");
        }
    }

    #[test]
    fn two_headers_are_refused_whatever_they_hold() {
        for values in [&[&b"Bearer a.b.c"[..], b"Bearer a.b.c"][..], &[b"Basic eA==", b"Bearer a.b.c"], &[b"", b""]] {
            assert_eq!(bearer(&headers(values)), Err(Rejection::SeveralAuthorizations));
        }
    }

    #[test]
    fn what_is_not_a_token68_is_refused() {
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer ==",
            b"Bearer a b",
            b"Bearer a.b.c ",
            b"Bearer a,b",
            b"Bearer a=b",
            b"Bearer \"a.b.c\"",
            b"Bearer {\"payload\":\"\"}",
            b"Bearer a\tb",
            b"Bearer a\xffb",
            "Bearer ä".as_bytes(),
        ] {
            assert_eq!(bearer(&headers(&[value])), Err(Rejection::NotToken68), "{value:?}");
        }
    }
}
