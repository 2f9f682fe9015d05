//! Callers, and the principals that policies name.

use std::fmt;

use serde::Deserialize;

use super::{Sid, UserId};

/// An authenticated caller. Every use case takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person or service.
    pub user: UserId,
    /// Name for display, as the identity provider gave it.
    pub name: String,
    /// Security identifier of the account, if known.
    pub sid: Option<Sid>,
    /// Security identifiers of the caller's groups.
    pub groups: Vec<Sid>,
}

impl Caller {
    /// The caller as recorded with a change; the name is truncated to [`Actor::MAX_NAME_CHARS`].
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { user: self.user, name: self.name.chars().take(Actor::MAX_NAME_CHARS).collect() }
    }

    /// Whether `principal` refers to this caller.
    #[must_use]
    pub fn is(&self, principal: &Principal) -> bool {
        match principal {
            Principal::User(user) => self.user == *user,
            Principal::Group(sid) => self.sid.as_ref() == Some(sid) || self.groups.contains(sid),
        }
    }

    /// Whether one of `principals` refers to this caller; an empty list means everyone.
    #[must_use]
    pub fn is_among(&self, principals: &[Principal]) -> bool {
        principals.is_empty() || principals.iter().any(|principal| self.is(principal))
    }
}

/// Who made a change, recorded with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The person or service.
    pub user: UserId,
    /// Its name at that time.
    pub name: String,
}

impl Actor {
    /// Longest recorded name, in characters.
    pub const MAX_NAME_CHARS: usize = 256;
}

/// A principal named in a policy: a user by id, or an account or group by SID.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Principal {
    /// One user.
    User(UserId),
    /// An account, or every member of a group.
    Group(Sid),
}

impl TryFrom<String> for Principal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if let Ok(user) = text.parse() {
            return Ok(Self::User(user));
        }
        Sid::parse(&text)
            .map(Self::Group)
            .ok_or_else(|| format!("{text:?} is neither a user's UUID nor a SID (S-1-...)"))
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.to_string()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Group(sid) => sid.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Principal, Sid};
    use crate::domain::fixtures::{STRANGER, TARGET, caller};

    #[test]
    fn a_caller_is_meant_by_user_by_account_and_by_group() {
        let sid = |text| Sid::parse(text).unwrap();
        let caller = Caller { sid: Some(sid("S-1-5-21-1")), groups: vec![sid("S-1-5-21-2")], ..caller(TARGET) };
        assert!(caller.is(&Principal::User(TARGET)));
        assert!(caller.is(&Principal::Group(sid("S-1-5-21-1"))));
        assert!(caller.is(&Principal::Group(sid("S-1-5-21-2"))));
        assert!(!caller.is(&Principal::User(STRANGER)));
        assert!(!caller.is(&Principal::Group(sid("S-1-5-21-3"))));
    }

    #[test]
    fn an_empty_list_means_everybody() {
        assert!(caller(TARGET).is_among(&[]));
        assert!(!caller(TARGET).is_among(&[Principal::User(STRANGER)]));
        assert!(caller(TARGET).is_among(&[Principal::User(STRANGER), Principal::User(TARGET)]));
    }

    #[test]
    fn a_principal_is_read_as_it_is_written() {
        for text in ["8f1590dc-d932-4b66-8e68-2e91c5880780", "S-1-5-21-1-2-3-500"] {
            let principal = Principal::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(principal), text);
        }
        let problem = Principal::try_from("everybody".to_owned()).unwrap_err();
        assert_eq!(problem, "\"everybody\" is neither a user's UUID nor a SID (S-1-...)");
    }
}
