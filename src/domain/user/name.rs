//! Names of users: the keys by which the directory finds one.

use std::fmt;

use super::{User, UserSource};
use crate::domain::{Caller, Sid, Upn, UserId};

/// A name by which a caller refers to a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserName {
    /// The id.
    Id(UserId),
    /// The security identifier.
    Sid(Sid),
    /// The user principal name.
    Upn(Upn),
}

/// The keys of one user. Each identifies the user among those of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserKeys {
    /// The id.
    pub id: Option<UserId>,
    /// The security identifier.
    pub sid: Option<Sid>,
    /// The user principal name.
    pub upn: Option<Upn>,
}

impl UserName {
    /// The id, if that is the name.
    #[must_use]
    pub const fn id(&self) -> Option<UserId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Sid(_) | Self::Upn(_) => None,
        }
    }

    /// Path of the field that holds a target named in this way.
    #[must_use]
    pub const fn target_field(&self) -> &'static str {
        match self {
            Self::Id(_) => "target",
            Self::Sid(_) => "target_sid",
            Self::Upn(_) => "target_upn",
        }
    }

    /// The user of this name among stored ones. An imported user takes precedence over learned ones.
    #[must_use]
    pub fn find(&self, stored: Vec<User>) -> Option<User> {
        let is_meant = |user: &User| match self {
            Self::Id(id) => user.id == *id,
            Self::Sid(sid) => user.sid.as_ref() == Some(sid),
            Self::Upn(upn) => user.upn.as_ref() == Some(upn),
        };
        stored.into_iter().filter(is_meant).min_by_key(|user| user.source != UserSource::Imported)
    }
}

impl From<UserId> for UserName {
    fn from(id: UserId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Sid(sid) => sid.fmt(f),
            Self::Upn(upn) => upn.fmt(f),
        }
    }
}

impl UserKeys {
    /// The keys that a caller's proof vouches for. An id made by the service is none of them.
    #[must_use]
    pub fn of_caller(caller: &Caller) -> Self {
        let id = (!caller.user.is_derived()).then_some(caller.user);
        Self { id, sid: caller.sid.clone(), upn: caller.upn.clone() }
    }

    /// The keys of a user.
    #[must_use]
    pub fn of_user(user: &User) -> Self {
        Self { id: Some(user.id), sid: user.sid.clone(), upn: user.upn.clone() }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.id.is_none() && self.sid.is_none() && self.upn.is_none()
    }
}

impl From<UserName> for UserKeys {
    fn from(name: UserName) -> Self {
        match name {
            UserName::Id(id) => Self { id: Some(id), ..Self::default() },
            UserName::Sid(sid) => Self { sid: Some(sid), ..Self::default() },
            UserName::Upn(upn) => Self { upn: Some(upn), ..Self::default() },
        }
    }
}
