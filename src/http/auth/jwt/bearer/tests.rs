//! Which headers hold a bearer token.

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
    for value in [&b"Negotiate YII="[..], b"Basic Bearer", b"", b"Bearer\ta.b.c", b"a.b.c", b"Bearertoken", b"\xff x"] {
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
