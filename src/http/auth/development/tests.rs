//! The caller of the development mode, and bad headers.

use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::{DEVELOPMENT_HEADER, Development};
use crate::domain::{Caller, Groups, Sid, UserId};

fn development() -> Development {
    Development::new(Caller {
        sid: Sid::parse("S-1-5-21-1-2-3-500"),
        groups: Groups::Known(vec![Sid::parse("S-1-5-21-1-2-3-513").unwrap()]),
        ..Caller::unproven(UserId::new(Uuid::from_u128(1)), "dev")
    })
}

fn headers(values: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(DEVELOPMENT_HEADER, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn without_the_header_the_caller_is_the_default_user() {
    let caller = development().authenticate(&headers(&[])).unwrap();
    assert_eq!(*caller, *development().default_caller());
}

#[test]
fn the_header_selects_another_user_of_the_same_groups() {
    let other = "00000000-0000-0000-0000-000000000002";
    let caller = development().authenticate(&headers(&[other])).unwrap();
    assert_eq!(caller.user, UserId::new(Uuid::from_u128(2)));
    assert_eq!((&caller.sid, &caller.groups), (&None, &development().default_caller().groups));
    let fixed = development().authenticate(&headers(&["00000000-0000-0000-0000-000000000001"])).unwrap();
    assert_eq!(fixed.name, "dev");
}

#[test]
fn a_bad_header_is_refused_by_name() {
    let other = "00000000-0000-0000-0000-000000000002";
    for values in [&["nobody"][..], &[""], &[other, other]] {
        let error = development().authenticate(&headers(values)).unwrap_err();
        assert!(error.to_string().starts_with("header X-Dev-User must be "), "{error}");
    }
}
