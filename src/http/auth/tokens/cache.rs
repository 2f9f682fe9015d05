//! The results of the latest checks. A signature costs 25 to 80 us of processor time, a look-up less than one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Caller, Groups, Sid, Timestamp};
use crate::http::auth::jwt::CertificateThumbprint;
use crate::runtime::bounded_map::BoundedMap;

/// How long a result is used: the time until which a change of the rules for an accepted token may go unnoticed.
const MAX_AGE: Duration = Duration::from_mins(1);
/// Maximum number of results.
const MAX_RESULTS: usize = 10_000;
/// Limit on the memory of all results, in bytes: 200 callers in 1,000 groups each, or 10,000 in 25.
const MAX_BYTES: usize = 32 << 20;

/// What an accepted token proves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) caller: Arc<Caller>,
    pub(super) expires_at: Timestamp,
    /// The client certificate that the token is bound to.
    pub(super) confirmation: Option<CertificateThumbprint>,
}

/// The versions of what a result depends on besides the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    /// That of the issuer's key set.
    pub(super) keys: u64,
    /// That of the list of denied tokens.
    pub(super) denied: u64,
}

/// SHA-256 of a token.
type TokenDigest = [u8; 32];

/// Accepted tokens by their digests. Refusals are not kept: callers could fill the cache with them.
/// All results live about equally long, so the oldest make room for new ones.
#[derive(Debug)]
pub(super) struct Cache(Mutex<BoundedMap<TokenDigest, Entry>>);

#[derive(Debug)]
struct Entry {
    accepted: Arc<Accepted>,
    issuer: usize,
    /// The generation that the token was checked with.
    generation: Generation,
    inserted: Timestamp,
    until: Timestamp,
}

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(BoundedMap::new(MAX_RESULTS, MAX_BYTES)))
    }
}

impl Cache {
    /// The result for a token and the index of its issuer, unless it is too old, or `generation`, which is in force for the issuer,
    /// is another one.
    pub(super) fn get(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
        generation: impl FnOnce(usize) -> Option<Generation>,
    ) -> Option<(usize, Arc<Accepted>)> {
        let results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = results.get(digest)?;
        // A clock that was set back must not prolong a result.
        let is_fresh = entry.inserted <= now && now < entry.until;
        let found = (entry.issuer, Arc::clone(&entry.accepted), entry.generation);
        drop(results);
        let (issuer, accepted, checked_with) = found;
        (is_fresh && generation(issuer) == Some(checked_with)).then_some((issuer, accepted))
    }

    /// Keeps a result.
    pub(super) fn insert(
        &self,
        digest: TokenDigest,
        issuer: usize,
        generation: Generation,
        accepted: Arc<Accepted>,
        now: Timestamp,
    ) {
        let bytes = size(&accepted);
        let max_age = i64::try_from(MAX_AGE.as_micros()).unwrap_or(i64::MAX);
        let latest = Timestamp::from_micros(now.micros().saturating_add(max_age)).unwrap_or(now);
        let until = accepted.expires_at.min(latest);
        let entry = Entry { accepted, issuer, generation, inserted: now, until };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, entry, bytes);
    }
}

/// Memory of a result in bytes.
fn size(accepted: &Accepted) -> usize {
    /// Bytes of the entry itself, its digest in both collections, and the free slots of the map.
    const ENTRY: usize =
        3 * (size_of::<Entry>() + size_of::<usize>() + 2 * size_of::<TokenDigest>()) + size_of::<Accepted>();
    let caller = &*accepted.caller;
    let groups = match &caller.groups {
        Groups::Known(groups) => size_of_groups(groups),
        Groups::Restricted { groups, deny_only } => size_of_groups(groups) + size_of_groups(deny_only),
        Groups::Unknown => 0,
    };
    let sid = caller.sid.as_ref().map_or(0, |sid| sid.as_str().len());
    let upn = caller.upn.as_ref().map_or(0, |upn| upn.as_str().len());
    ENTRY + size_of::<Caller>() + caller.name.len() + sid + upn + groups
}

fn size_of_groups(groups: &[Sid]) -> usize {
    /// Bytes of a text besides its characters, with the overhead of the allocator.
    const TEXT: usize = size_of::<String>() + 16;
    groups.iter().map(|group| TEXT + group.as_str().len()).sum()
}

#[cfg(test)]
mod tests;
