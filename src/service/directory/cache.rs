//! What the directory said about the latest callers. Every call asks; a look-up in the database takes a hundred times as long.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{Recognition, UserKeys};
use crate::runtime::bounded_map::BoundedMap;

/// How long an answer is used: the time until which this process may miss an import of another one.
const MAX_AGE: Duration = Duration::from_mins(1);
/// How long an answer is used while the database is not available.
const MAX_AGE_WITHOUT_DATABASE: Duration = Duration::from_mins(10);
/// Maximum number of answers.
const MAX_ANSWERS: usize = 20_000;
/// Limit on the memory of all answers, in bytes: 200 users in 1,000 groups each, or 20,000 in 10.
const MAX_BYTES: usize = 16 << 20;

/// Answers by the keys of callers.
#[derive(Debug)]
pub(super) struct Cache(Mutex<Answers>);

#[derive(Debug)]
struct Answers {
    by_keys: BoundedMap<Arc<UserKeys>, Answer>,
    /// Number of times that the answers were cleared.
    generation: u64,
}

#[derive(Debug)]
struct Answer {
    recognition: Arc<Recognition>,
    since: Instant,
}

impl Default for Cache {
    fn default() -> Self {
        Self::within(MAX_ANSWERS, MAX_BYTES)
    }
}

impl Cache {
    fn within(max_answers: usize, max_bytes: usize) -> Self {
        Self(Mutex::new(Answers { by_keys: BoundedMap::new(max_answers, max_bytes), generation: 0 }))
    }

    /// The answer for a caller, unless it is too old.
    pub(super) fn get(&self, keys: &UserKeys, now: Instant) -> Option<Arc<Recognition>> {
        self.younger_than(MAX_AGE, keys, now)
    }

    /// The answer for a caller while the database is not available.
    pub(super) fn get_old(&self, keys: &UserKeys, now: Instant) -> Option<Arc<Recognition>> {
        self.younger_than(MAX_AGE_WITHOUT_DATABASE, keys, now)
    }

    fn younger_than(&self, max_age: Duration, keys: &UserKeys, now: Instant) -> Option<Arc<Recognition>> {
        let answers = self.lock();
        let answer = answers.by_keys.get(keys)?;
        (now.saturating_duration_since(answer.since) < max_age).then(|| Arc::clone(&answer.recognition))
    }

    /// The generation of the answers, to be read before the database is asked.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Keeps an answer, unless the answers were cleared since `generation` was read: it may be older than the change.
    pub(super) fn insert(&self, keys: UserKeys, recognition: &Arc<Recognition>, generation: u64, now: Instant) {
        let bytes = size(&keys, recognition);
        let mut answers = self.lock();
        if answers.generation == generation {
            let answer = Answer { recognition: Arc::clone(recognition), since: now };
            answers.by_keys.insert(Arc::new(keys), answer, bytes);
        }
    }

    /// Forgets all answers.
    pub(super) fn clear(&self) {
        let mut answers = self.lock();
        answers.generation = answers.generation.wrapping_add(1);
        answers.by_keys.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory of an answer in bytes.
fn size(keys: &UserKeys, recognition: &Recognition) -> usize {
    /// Bytes of a text besides its characters, with the overhead of the allocator.
    const TEXT: usize = size_of::<String>() + 16;
    /// Bytes of the entry itself with its keys, its place in the order, and the free slots of the map.
    const ENTRY: usize = 2 * (size_of::<Answer>() + 3 * size_of::<usize>()) + size_of::<UserKeys>() + 64;
    let named = |sid: Option<usize>, upn: Option<usize>| 2 * TEXT + sid.unwrap_or(0) + upn.unwrap_or(0);
    let own = named(keys.sid.as_ref().map(|sid| sid.as_str().len()), keys.upn.as_ref().map(|upn| upn.as_str().len()));
    let user = match recognition {
        Recognition::Stranger | Recognition::Inactive(_) => 0,
        Recognition::User(user) => {
            let groups = user.groups.iter().flatten().map(|group| TEXT + group.as_str().len()).sum::<usize>();
            let keys =
                named(user.sid.as_ref().map(|sid| sid.as_str().len()), user.upn.as_ref().map(|upn| upn.as_str().len()));
            size_of_val(&**user) + keys + TEXT + user.name.as_str().len() + groups
        }
    };
    ENTRY + own + user
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{DisplayName, Sid, User, UserId, UserSource, UserStatus};

    fn keys(number: u128) -> UserKeys {
        UserKeys { id: Some(UserId::new(Uuid::from_u128(number))), ..UserKeys::default() }
    }

    fn stranger() -> Arc<Recognition> {
        Arc::new(Recognition::Stranger)
    }

    fn member(groups: usize) -> Arc<Recognition> {
        let sid = Sid::parse("S-1-5-21-2127521184-1604012920-1887927527-14995557").unwrap();
        Arc::new(Recognition::User(Arc::new(User {
            id: UserId::new(Uuid::from_u128(1)),
            source: UserSource::Imported,
            sid: None,
            upn: None,
            name: DisplayName::parse("", "Alice").unwrap(),
            groups: Some(vec![sid; groups]),
            status: UserStatus::Active,
        })))
    }

    #[test]
    fn an_answer_is_used_for_a_minute_and_for_ten_without_a_database() {
        let (cache, start) = (Cache::default(), Instant::now());
        cache.insert(keys(1), &member(1), 0, start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let is_found =
            |seconds| (cache.get(&keys(1), at(seconds)).is_some(), cache.get_old(&keys(1), at(seconds)).is_some());
        assert_eq!((is_found(0), is_found(59)), ((true, true), (true, true)));
        assert_eq!((is_found(60), is_found(599)), ((false, true), (false, true)));
        assert_eq!(is_found(600), (false, false));
        assert_eq!(cache.get(&keys(2), start), None, "another caller");
        cache.insert(keys(1), &stranger(), 0, at(100));
        assert_eq!(cache.get(&keys(1), at(159)), Some(stranger()), "a later answer counts");
    }

    #[test]
    fn an_answer_that_an_import_overtook_is_not_kept() {
        let (cache, now) = (Cache::default(), Instant::now());
        cache.insert(keys(1), &stranger(), cache.generation(), now);
        let before = cache.generation();
        cache.clear();
        assert_eq!(cache.get_old(&keys(1), now), None, "an import clears the answers");
        cache.insert(keys(1), &stranger(), before, now);
        assert_eq!(cache.get_old(&keys(1), now), None, "it was read before the import");
        cache.insert(keys(1), &member(0), cache.generation(), now);
        assert_eq!(cache.get(&keys(1), now), Some(member(0)));
    }

    #[test]
    fn answers_are_bounded_in_number_and_bytes_and_the_oldest_goes_first() {
        let now = Instant::now();
        let cache = Cache::within(3, MAX_BYTES);
        for number in 0..100 {
            cache.insert(keys(number), &stranger(), 0, now);
            cache.insert(keys(number), &stranger(), 0, now);
        }
        let kept: Vec<u128> = (0..100).filter(|number| cache.get(&keys(*number), now).is_some()).collect();
        assert_eq!(kept, [97, 98, 99]);
        let answers = cache.lock();
        assert_eq!(answers.by_keys.keys().len(), 3);
        assert_eq!(answers.by_keys.bytes(), 3 * size(&keys(1), &stranger()));
        drop(answers);

        let large = size(&keys(1), &member(1_000));
        assert!(large > 60_000, "1,000 SIDs of 50 characters take {large} bytes");
        let cache = Cache::within(MAX_ANSWERS, 2 * large);
        for number in 0..10 {
            cache.insert(keys(number), &member(1_000), 0, now);
            assert!(cache.lock().by_keys.bytes() <= 2 * large);
        }
        assert_eq!(cache.lock().by_keys.keys().len(), 2);
        assert_eq!(cache.get(&keys(9), now), Some(member(1_000)));
    }
}
