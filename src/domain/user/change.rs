//! Changes of the directory: imports by administrators, and users learned from proofs. Pure functions over the stored users that have
//! a key in common with the new ones.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::{Upn, User, UserSource};
use crate::domain::{Refusal, Sid, UserId};

/// The keys of a stored user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// Where the user is known from.
    pub source: UserSource,
    /// The id.
    pub id: UserId,
    /// The security identifier.
    pub sid: Option<Sid>,
    /// The user principal name.
    pub upn: Option<Upn>,
}

/// What to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChanges {
    /// Stored users to remove.
    pub removed: BTreeSet<(UserId, UserSource)>,
    /// Users to add or to replace; each once.
    pub put: Vec<User>,
}

/// Imports users: they replace stored ones with the same id, and learned ones with any of their keys. The outcome does not depend on
/// their order. `stored` holds all users that have a key in common with one of `imported`.
///
/// # Errors
/// [`Refusal::Invalid`] if two have the same id, [`Refusal::UserKeyTaken`] if two users would have the same security identifier or user
/// principal name. Fields begin with the index in `imported`.
pub fn import_users(imported: Vec<User>, stored: &[KnownUser]) -> Result<UserChanges, Refusal> {
    let mut ids = HashMap::new();
    for (index, user) in imported.iter().enumerate() {
        if ids.insert(user.id, index).is_some() {
            return Err(Refusal::invalid(format!("users[{index}].id"), "is given twice"));
        }
    }
    let is_kept = |known: &&KnownUser| known.source == UserSource::Imported && !ids.contains_key(&known.id);
    let kept = || stored.iter().filter(is_kept);
    let mut sids = Holders::new(kept().filter_map(|known| Some((known.sid.as_ref()?, known.id))));
    let mut upns = Holders::new(kept().filter_map(|known| Some((known.upn.as_ref()?, known.id))));
    for (index, user) in imported.iter().enumerate() {
        let taken = |field: &str, holder| Refusal::UserKeyTaken { field: format!("users[{index}].{field}"), holder };
        if let Some(holder) = user.sid.as_ref().and_then(|sid| sids.hold(sid, user.id)) {
            return Err(taken("sid", holder));
        }
        if let Some(holder) = user.upn.as_ref().and_then(|upn| upns.hold(upn, user.id)) {
            return Err(taken("upn", holder));
        }
    }
    let is_replaced = |known: &&KnownUser| known.source != UserSource::Imported;
    let removed = stored.iter().filter(is_replaced).map(|known| (known.id, known.source.clone())).collect();
    Ok(UserChanges { removed, put: imported })
}

/// Records a user learned from a proof, unless an imported user has one of its keys. Within an entry the latest proof counts: a learned
/// user of the same entry that had one of the keys is replaced. `stored` holds all users that have a key in common with `learned`.
#[must_use]
pub fn learn_user(learned: User, stored: &[KnownUser]) -> UserChanges {
    if learned.source == UserSource::Imported || stored.iter().any(|known| known.source == UserSource::Imported) {
        return UserChanges::default();
    }
    let is_replaced = |known: &&KnownUser| known.source == learned.source && known.id != learned.id;
    let removed = stored.iter().filter(is_replaced).map(|known| (known.id, known.source.clone())).collect();
    UserChanges { removed, put: vec![learned] }
}

/// Users by a key that only one of them may have.
struct Holders<K>(HashMap<K, UserId>);

impl<K: Eq + Hash> Holders<K> {
    fn new(held: impl Iterator<Item = (K, UserId)>) -> Self {
        Self(held.collect())
    }

    /// Assigns a key to a user; returns the other user that has it, if there is one.
    fn hold(&mut self, key: K, user: UserId) -> Option<UserId> {
        let holder = *self.0.entry(key).or_insert(user);
        (holder != user).then_some(holder)
    }
}
