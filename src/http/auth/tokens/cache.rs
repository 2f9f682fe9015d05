//! The results of the latest checks. A signature costs 25 to 80 us of processor time, a look-up less than one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Caller, Groups, Timestamp};
use crate::http::auth::jwt::CertificateThumbprint;

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

/// SHA-256 of a token.
type TokenDigest = [u8; 32];

/// Accepted tokens by their digests. Refusals are not kept: callers could fill the cache with them.
#[derive(Debug)]
pub(super) struct Cache {
    results: Mutex<Results>,
    max_results: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Results {
    by_digest: HashMap<TokenDigest, Entry>,
    /// The digests in the order of their insertion, the oldest first. All results live about equally long.
    order: VecDeque<TokenDigest>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    accepted: Arc<Accepted>,
    issuer: usize,
    /// Generation of the key set that verified the token.
    generation: u64,
    inserted: Timestamp,
    until: Timestamp,
    bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { results: Mutex::default(), max_results: MAX_RESULTS, max_bytes: MAX_BYTES }
    }
}

impl Cache {
    /// The result for a token and the index of its issuer, unless it is too old, or `generation`, that of the issuer's key set in
    /// force, is another one.
    pub(super) fn get(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
        generation: impl FnOnce(usize) -> Option<u64>,
    ) -> Option<(usize, Arc<Accepted>)> {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = results.by_digest.get(digest)?;
        // A clock that was set back must not prolong a result.
        let is_fresh = entry.inserted <= now && now < entry.until;
        let found = (entry.issuer, Arc::clone(&entry.accepted), entry.generation);
        drop(results);
        let (issuer, accepted, verified_by) = found;
        (is_fresh && generation(issuer) == Some(verified_by)).then_some((issuer, accepted))
    }

    /// Keeps a result.
    pub(super) fn insert(
        &self,
        digest: TokenDigest,
        issuer: usize,
        generation: u64,
        accepted: Arc<Accepted>,
        now: Timestamp,
    ) {
        let bytes = size(&accepted);
        let max_age = i64::try_from(MAX_AGE.as_micros()).unwrap_or(i64::MAX);
        let latest = Timestamp::from_micros(now.micros().saturating_add(max_age)).unwrap_or(now);
        let until = accepted.expires_at.min(latest);
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry { accepted, issuer, generation, inserted: now, until, bytes };
        match results.by_digest.insert(digest, entry) {
            // Two calls checked the token at the same time, or the result was too old.
            Some(replaced) => results.bytes -= replaced.bytes,
            None => results.order.push_back(digest),
        }
        results.bytes += bytes;
        while results.by_digest.len() > self.max_results || results.bytes > self.max_bytes {
            if results.remove_oldest().is_none() {
                break;
            }
        }
    }
}

impl Results {
    fn remove_oldest(&mut self) -> Option<()> {
        let oldest = self.order.pop_front()?;
        let removed = self.by_digest.remove(&oldest)?;
        self.bytes -= removed.bytes;
        Some(())
    }
}

/// Memory of a result in bytes.
fn size(accepted: &Accepted) -> usize {
    /// Bytes of a text besides its characters, with the overhead of the allocator.
    const TEXT: usize = size_of::<String>() + 16;
    /// Bytes of the entry itself, its digest in both collections, and the free slots of the map.
    const ENTRY: usize = 3 * (size_of::<Entry>() + 2 * size_of::<TokenDigest>()) + size_of::<Accepted>();
    let caller = &*accepted.caller;
    let groups = match &caller.groups {
        Groups::Known(groups) => groups.iter().map(|group| TEXT + group.as_str().len()).sum(),
        Groups::Unknown => 0,
    };
    ENTRY + size_of::<Caller>() + caller.name.len() + groups
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Sid, UserId};

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros((1_788_264_000 + seconds) * SECOND).unwrap()
    }

    fn accepted(expires: i64, groups: usize) -> Arc<Accepted> {
        let sid = Sid::parse("S-1-5-21-2127521184-1604012920-1887927527-14995557").unwrap();
        let groups = Groups::Known(vec![sid; groups]);
        let caller = Caller { groups, ..Caller::unproven(UserId::new(Uuid::from_u128(1)), "alice") };
        Arc::new(Accepted { caller: Arc::new(caller), expires_at: at(expires), confirmation: None })
    }

    fn digest(number: usize) -> TokenDigest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    fn cache(max_results: usize, max_bytes: usize) -> Cache {
        Cache { max_results, max_bytes, ..Cache::default() }
    }

    #[test]
    fn a_result_is_used_for_a_minute_but_not_after_the_token_expired() {
        let cache = Cache::default();
        cache.insert(digest(1), 2, 7, accepted(3_600, 0), at(0));
        cache.insert(digest(2), 2, 7, accepted(10, 0), at(0));
        let get = |number, seconds| cache.get(&digest(number), at(seconds), |_| Some(7)).map(|(issuer, _)| issuer);
        assert_eq!((get(1, 0), get(1, 59), get(1, 60)), (Some(2), Some(2), None));
        assert_eq!((get(2, 9), get(2, 10)), (Some(2), None));
        assert_eq!(get(1, -1), None, "the clock was set back");
        assert_eq!(get(3, 0), None, "never seen");
        cache.insert(digest(1), 2, 7, accepted(3_600, 0), at(100));
        assert_eq!((get(1, 100), get(1, 159)), (Some(2), Some(2)), "a later check counts");
    }

    #[test]
    fn another_key_set_of_the_same_issuer_ends_a_result() {
        let cache = Cache::default();
        cache.insert(digest(1), 2, 7, accepted(3_600, 0), at(0));
        for (generation, is_found) in [(Some(7), true), (Some(8), false), (Some(6), false), (None, false)] {
            let found = cache.get(&digest(1), at(1), |issuer| {
                assert_eq!(issuer, 2);
                generation
            });
            assert_eq!(found.is_some(), is_found, "{generation:?}");
        }
    }

    #[test]
    fn results_are_bounded_in_number_and_the_oldest_goes_first() {
        let cache = cache(3, usize::MAX);
        for number in 0..100 {
            cache.insert(digest(number), 0, 1, accepted(3_600, 0), at(0));
            cache.insert(digest(number), 0, 1, accepted(3_600, 0), at(0));
        }
        let is_kept = |number| cache.get(&digest(number), at(0), |_| Some(1)).is_some();
        let kept: Vec<usize> = (0..100).filter(|number| is_kept(*number)).collect();
        assert_eq!(kept, [97, 98, 99]);
        let results = cache.results.lock().unwrap();
        assert_eq!((results.by_digest.len(), results.order.len()), (3, 3));
        assert_eq!(results.bytes, 3 * size(&accepted(3_600, 0)));
    }

    #[test]
    fn results_are_bounded_in_bytes() {
        let large = size(&accepted(3_600, 1_000));
        assert!(large > 50_000, "1,000 SIDs of 50 characters");
        let cache = cache(usize::MAX, 2 * large);
        for number in 0..100 {
            cache.insert(digest(number), 0, 1, accepted(3_600, 1_000), at(0));
            assert!(cache.results.lock().unwrap().bytes <= 2 * large);
        }
        assert_eq!(cache.results.lock().unwrap().order, [digest(98), digest(99)]);
        let tiny = super::tests::cache(usize::MAX, 1);
        tiny.insert(digest(1), 0, 1, accepted(3_600, 0), at(0));
        let results = tiny.results.lock().unwrap();
        assert_eq!((results.by_digest.len(), results.bytes), (0, 0), "a result that is too large is not kept");
    }
}
