//! Callers, and the principals that policies name.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::{Sid, Timestamp, Upn, UserId};

/// An authenticated caller. Every use case takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person or service.
    pub user: UserId,
    /// Name for display, as the identity provider gave it.
    pub name: String,
    /// Security identifier of the account, if known.
    pub sid: Option<Sid>,
    /// User principal name of the account, if known.
    pub upn: Option<Upn>,
    /// The caller's groups.
    pub groups: Groups,
    /// How the caller proved its identity.
    pub proof: Proof,
}

/// The groups of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// All of them.
    Known(Vec<Sid>),
    /// All of them, some of which count for rules that deny only: Windows marks the groups of a restricted token so (MS-DTYP 2.4.4.17.1,
    /// `SE_GROUP_USE_FOR_DENY_ONLY`).
    Restricted {
        /// The groups that count for every rule.
        groups: Vec<Sid>,
        /// The groups that count for rules that deny.
        deny_only: Vec<Sid>,
    },
    /// The proof does not list them, or not all of them: Entra ID omits a list of more than 200 groups.
    Unknown,
}

impl Groups {
    /// Maximum number of groups that a proof may list. Windows limits its own tokens to about 1,015.
    pub const MAX: usize = 1024;
}

/// How a caller proved its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The kind of proof.
    pub method: ProofMethod,
    /// Name of the entry of the configuration that accepted it.
    pub entry: Option<Arc<str>>,
    /// When the proof expires.
    pub expires_at: Option<Timestamp>,
}

/// A kind of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofMethod {
    /// None: the development mode believes every caller.
    Development,
    /// A signed bearer token (RFC 6750, RFC 7519).
    Token,
    /// A TLS client certificate.
    Certificate,
    /// A Kerberos ticket (RFC 4559).
    Kerberos,
    /// The word of a trusted proxy, which authenticated the caller.
    Proxy,
}

impl Groups {
    /// Whether the caller is a member of a group; `None` if that is unknown or the membership counts for denials only. A rule that
    /// denies must treat `None` as a member, a rule that allows as a stranger.
    #[must_use]
    pub fn contains(&self, group: &Sid) -> Option<bool> {
        match self {
            Self::Known(groups) => Some(groups.contains(group)),
            Self::Restricted { groups, deny_only } => {
                let counts = groups.contains(group);
                (counts || !deny_only.contains(group)).then_some(counts)
            }
            Self::Unknown => None,
        }
    }
}

impl Proof {
    /// The proof of the development mode.
    pub const NONE: Self = Self { method: ProofMethod::Development, entry: None, expires_at: None };
}

impl Caller {
    /// A caller of the development mode, without SID and groups.
    #[must_use]
    pub fn unproven(user: UserId, name: impl Into<String>) -> Self {
        Self { user, name: name.into(), sid: None, upn: None, groups: Groups::Known(Vec::new()), proof: Proof::NONE }
    }

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
            Principal::Group(sid) => self.sid.as_ref() == Some(sid) || self.groups.contains(sid) == Some(true),
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
    use super::{Caller, Groups, Principal, Sid};
    use crate::domain::fixtures::{STRANGER, TARGET, caller};

    #[test]
    fn a_caller_is_meant_by_user_by_account_and_by_group() {
        let sid = |text| Sid::parse(text).unwrap();
        let groups = Groups::Known(vec![sid("S-1-5-21-2")]);
        let caller = Caller { sid: Some(sid("S-1-5-21-1")), groups, ..caller(TARGET) };
        assert!(caller.is(&Principal::User(TARGET)));
        assert!(caller.is(&Principal::Group(sid("S-1-5-21-1"))));
        assert!(caller.is(&Principal::Group(sid("S-1-5-21-2"))));
        assert!(!caller.is(&Principal::User(STRANGER)));
        assert!(!caller.is(&Principal::Group(sid("S-1-5-21-3"))));
    }

    #[test]
    fn a_caller_of_unknown_groups_is_allowed_nothing_by_a_group() {
        let group = Sid::parse("S-1-5-21-2").unwrap();
        let caller = Caller { groups: Groups::Unknown, ..caller(TARGET) };
        assert_eq!(caller.groups.contains(&group), None);
        assert!(!caller.is(&Principal::Group(group)));
        assert!(caller.is(&Principal::User(TARGET)));
    }

    #[test]
    fn a_group_for_denials_allows_nothing_and_leaves_the_others_as_they_are() {
        let [member, denied, other] = ["S-1-5-21-1", "S-1-5-21-2", "S-1-5-21-3"].map(|text| Sid::parse(text).unwrap());
        let groups = Groups::Restricted { groups: vec![member.clone()], deny_only: vec![denied.clone()] };
        let found = [&member, &denied, &other].map(|group| groups.contains(group));
        assert_eq!(found, [Some(true), None, Some(false)]);
        let caller = Caller { groups, ..caller(TARGET) };
        let is = [member, denied, other].map(|group| caller.is(&Principal::Group(group)));
        assert_eq!(is, [true, false, false]);
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
