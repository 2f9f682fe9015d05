//! What ends a result, and the bounds on all results.

use uuid::Uuid;

use super::*;
use crate::domain::{Upn, UserId};

const SECOND: i64 = 1_000_000;
const NOW: Generation = Generation { keys: 7, denied: 1 };

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
    Cache(Mutex::new(BoundedMap::new(max_results, max_bytes)))
}

#[test]
fn a_result_is_used_for_a_minute_but_not_after_the_token_expired() {
    let cache = Cache::default();
    cache.insert(digest(1), 2, NOW, accepted(3_600, 0), at(0));
    cache.insert(digest(2), 2, NOW, accepted(10, 0), at(0));
    let get = |number, seconds| cache.get(&digest(number), at(seconds), |_| Some(NOW)).map(|(issuer, _)| issuer);
    assert_eq!((get(1, 0), get(1, 59), get(1, 60)), (Some(2), Some(2), None));
    assert_eq!((get(2, 9), get(2, 10)), (Some(2), None));
    assert_eq!(get(1, -1), None, "the clock was set back");
    assert_eq!(get(3, 0), None, "never seen");
    cache.insert(digest(1), 2, NOW, accepted(3_600, 0), at(100));
    assert_eq!((get(1, 100), get(1, 159)), (Some(2), Some(2)), "a later check counts");
}

#[test]
fn another_key_set_or_list_of_denied_tokens_ends_a_result() {
    let cache = Cache::default();
    cache.insert(digest(1), 2, NOW, accepted(3_600, 0), at(0));
    let keys = |keys| Some(Generation { keys, ..NOW });
    let denied = Some(Generation { denied: 2, ..NOW });
    for (generation, is_found) in
        [(Some(NOW), true), (keys(8), false), (keys(6), false), (denied, false), (None, false)]
    {
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
        cache.insert(digest(number), 0, NOW, accepted(3_600, 0), at(0));
        cache.insert(digest(number), 0, NOW, accepted(3_600, 0), at(0));
    }
    let is_kept = |number| cache.get(&digest(number), at(0), |_| Some(NOW)).is_some();
    let kept: Vec<usize> = (0..100).filter(|number| is_kept(*number)).collect();
    assert_eq!(kept, [97, 98, 99]);
    let results = cache.0.lock().unwrap();
    assert_eq!(results.keys().len(), 3);
    assert_eq!(results.bytes(), 3 * size(&accepted(3_600, 0)));
}

#[test]
fn results_are_bounded_in_bytes() {
    let large = size(&accepted(3_600, 1_000));
    assert!(large > 50_000, "1,000 SIDs of 50 characters");
    let cache = cache(usize::MAX, 2 * large);
    for number in 0..100 {
        cache.insert(digest(number), 0, NOW, accepted(3_600, 1_000), at(0));
        assert!(cache.0.lock().unwrap().bytes() <= 2 * large);
    }
    assert_eq!(cache.0.lock().unwrap().keys(), [digest(98), digest(99)]);
    let named = Accepted {
        caller: Arc::new(Caller {
            upn: Upn::parse(&format!("{}@a", "u".repeat(998))),
            ..(*accepted(0, 0).caller).clone()
        }),
        expires_at: at(0),
        confirmation: None,
    };
    assert_eq!(size(&named), size(&accepted(0, 0)) + 1_000, "a name counts");
    let tiny = super::tests::cache(usize::MAX, 1);
    tiny.insert(digest(1), 0, NOW, accepted(3_600, 0), at(0));
    let results = tiny.0.lock().unwrap();
    assert_eq!((results.keys().len(), results.bytes()), (0, 0), "a result that is too large is not kept");
}
