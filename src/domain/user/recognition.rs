//! What the imported users say about a caller: a pure function over the users with one of the caller's keys.

use std::sync::Arc;

use super::{User, UserSource, UserStatus};
use crate::domain::{Caller, Groups, UserId, UserKeys};

/// What the directory knows about a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// No imported user has a key of the caller.
    Stranger,
    /// The caller is this user.
    User(Arc<User>),
    /// The caller is this inactive user.
    Inactive(UserId),
}

/// Recognizes a caller by its keys among stored users. Only imported ones count: what one entry of the configuration vouched for
/// says nothing about the callers of another.
///
/// The id counts most, then the security identifier, then the user principal name, which a directory may assign to another account.
/// A user whose security identifier differs from that of the caller is such another account. If any user with one of the keys is
/// inactive, the caller is.
#[must_use]
pub fn recognize(keys: &UserKeys, stored: &[User]) -> Recognition {
    let is_same_account = |user: &&User| {
        let differs = user.sid.is_some() && keys.sid.is_some() && user.sid != keys.sid;
        user.source == UserSource::Imported && (keys.id == Some(user.id) || !differs)
    };
    let rank = |user: &User| {
        if keys.id == Some(user.id) {
            Some(0)
        } else if keys.sid.is_some() && user.sid == keys.sid {
            Some(1)
        } else {
            (keys.upn.is_some() && user.upn == keys.upn).then_some(2)
        }
    };
    let mut meant: Vec<(u8, &User)> =
        stored.iter().filter(is_same_account).filter_map(|user| Some((rank(user)?, user))).collect();
    meant.sort_by_key(|(rank, _)| *rank);
    if let Some((_, inactive)) = meant.iter().find(|(_, user)| user.status == UserStatus::Inactive) {
        return Recognition::Inactive(inactive.id);
    }
    match meant.first() {
        // A proven id stays; another user with the same security identifier contributes nothing.
        Some((rank, _)) if keys.id.is_some() && *rank > 0 => Recognition::Stranger,
        Some((_, user)) => Recognition::User(Arc::new((*user).clone())),
        None => Recognition::Stranger,
    }
}

impl User {
    /// The caller who is this user: what the proof does not say, the directory does. An id made from a subject is replaced by that
    /// of the directory.
    #[must_use]
    pub fn complete(&self, caller: Arc<Caller>) -> Arc<Caller> {
        let added = self.groups.as_ref().filter(|_| caller.groups == Groups::Unknown);
        let has_sid = caller.sid.is_some() || self.sid.is_none();
        let has_upn = caller.upn.is_some() || self.upn.is_none();
        if caller.user == self.id && has_sid && has_upn && added.is_none() {
            return caller;
        }
        // The caller of a ticket is nobody else's, so it is changed in place.
        let mut caller = Arc::unwrap_or_clone(caller);
        caller.user = self.id;
        caller.sid = caller.sid.or_else(|| self.sid.clone());
        caller.upn = caller.upn.or_else(|| self.upn.clone());
        if let Some(groups) = added {
            caller.groups = Groups::Known(groups.clone());
        }
        Arc::new(caller)
    }
}
