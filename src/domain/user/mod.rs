//! Users of the directory: the accounts that requests name as originators and targets.

mod change;
mod name;
mod recognition;
#[cfg(test)]
mod tests;
mod upn;

use std::sync::Arc;

use super::{Actor, Refusal, Sid, UserId, text_within};

pub use change::{KnownUser, UserChanges, import_users, learn_user};
pub use name::{UserKeys, UserName};
pub use recognition::{Recognition, recognize};
pub use upn::Upn;

/// Most groups of a user. Windows refuses a logon with more than 1,015.
pub const USER_GROUPS_MAX: usize = 1_100;

/// A user of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user; the objectGUID of an account of Active Directory.
    pub id: UserId,
    /// Where the service knows the user from.
    pub source: UserSource,
    /// Security identifier of the account, if known.
    pub sid: Option<Sid>,
    /// User principal name, if known.
    pub upn: Option<Upn>,
    /// Name for display.
    pub name: DisplayName,
    /// The user's groups, at most [`USER_GROUPS_MAX`]; `None` if they are unknown.
    pub groups: Option<Vec<Sid>>,
    /// Whether the user may call.
    pub status: UserStatus,
}

/// Where the service knows a user from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserSource {
    /// An administrator imported the user.
    Imported,
    /// The user called with a proof that this entry of the configuration accepted. It vouches for the user to callers of the same
    /// entry only.
    Learned(Arc<str>),
}

/// Whether a user may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserStatus {
    /// The user may.
    Active,
    /// The user has left: no call is accepted, and no new request gives the user anything.
    Inactive,
}

impl UserSource {
    /// The entry that a learned user is known from.
    #[must_use]
    pub fn entry(&self) -> Option<&str> {
        match self {
            Self::Imported => None,
            Self::Learned(entry) => Some(entry),
        }
    }
}

impl UserStatus {
    /// Name in messages and hashes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

/// A name for display: 1 to [`DisplayName::MAX_CHARS`] characters without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Longest name, in characters: as long as the name recorded with a change.
    pub const MAX_CHARS: usize = Actor::MAX_NAME_CHARS;

    /// Checks a name that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, if the name is empty, too long or has control characters.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, Refusal> {
        let text = text_within(field, text.into(), Self::MAX_CHARS)?;
        if text.is_empty() {
            Err(Refusal::invalid(field, "must be given"))
        } else if text.chars().any(char::is_control) {
            Err(Refusal::invalid(field, "must not contain control characters"))
        } else {
            Ok(Self(text))
        }
    }

    /// A name that was checked when it was accepted. Stored names stay readable if the limits become stricter.
    #[must_use]
    pub(crate) const fn unchecked(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which lists are ordered and searched, which ignores case as [`Upn`] does.
    #[must_use]
    pub fn key(&self) -> String {
        upn::fold(&self.0)
    }
}

/// Filters of a list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserQuery {
    /// Beginning of the name in the form of [`DisplayName::key`]; empty matches every name.
    pub name_prefix: String,
    /// Any of these statuses; empty matches all.
    pub statuses: Vec<UserStatus>,
}

impl UserQuery {
    /// Builds the filters of a list; case does not matter in `name_prefix`.
    #[must_use]
    pub fn new(name_prefix: &str, statuses: Vec<UserStatus>) -> Self {
        Self { name_prefix: upn::fold(name_prefix), statuses }
    }
}

/// The users that a caller may see besides the imported ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LearnedUsers {
    /// None.
    None,
    /// Those known from this entry.
    Of(Arc<str>),
    /// All.
    All,
}

/// A page of a list of users, ordered by name, then id, then source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPage {
    /// Start after this place.
    pub after: Option<UserCursor>,
    /// Maximum number of members.
    pub limit: u32,
    /// Maximum stored bytes; the first member always fits.
    pub max_bytes: usize,
}

/// A place in a list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCursor {
    /// The name in the form of [`DisplayName::key`].
    pub name: String,
    /// The user.
    pub id: UserId,
    /// Where the user is known from.
    pub source: UserSource,
}

impl UserCursor {
    /// The place of a user.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self { name: user.name.key(), id: user.id, source: user.source.clone() }
    }
}
