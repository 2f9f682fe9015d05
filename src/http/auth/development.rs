//! Authentication in development mode: a header sets the caller without proof, to try a life cycle as several persons.

use std::sync::Arc;

use http::HeaderMap;
use uuid::Uuid;

use super::AuthError;
use crate::domain::{Caller, UserId};

/// Header that selects a user other than the default.
pub const DEVELOPMENT_HEADER: &str = "X-Dev-User";

/// The callers of the development mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Development {
    /// The caller without the header. Its groups are those of every caller, including those that the header selects, so that
    /// policies for groups apply to all of them.
    default: Arc<Caller>,
}

impl Development {
    /// With the caller of calls without the header.
    #[must_use]
    pub fn new(default: Caller) -> Self {
        Self { default: Arc::new(default) }
    }

    /// The caller of calls without the header.
    #[must_use]
    pub fn default_caller(&self) -> &Caller {
        &self.default
    }

    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Caller>, AuthError> {
        let refuse = |problem| Err(AuthError::BadHeader { header: DEVELOPMENT_HEADER, problem });
        let mut values = headers.get_all(DEVELOPMENT_HEADER).iter();
        let Some(value) = values.next() else { return Ok(Arc::clone(&self.default)) };
        if values.next().is_some() {
            return refuse("must be sent only once");
        }
        let Ok(id) = Uuid::try_parse_ascii(value.as_bytes()) else { return refuse("must be a UUID") };
        let user = UserId::new(id);
        if user == self.default.user {
            return Ok(Arc::clone(&self.default));
        }
        let groups = self.default.groups.clone();
        Ok(Arc::new(Caller { groups, ..Caller::unproven(user, format!("development user {user}")) }))
    }
}

#[cfg(test)]
mod tests {
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
}
