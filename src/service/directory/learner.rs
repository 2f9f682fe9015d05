//! Records users that the directory does not know, from the proofs of their calls: beside the calls, at a limited rate.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::domain::{
    Caller, DisplayName, KnownUser, Refusal, User, UserChanges, UserId, UserKeys, UserSource, UserStatus, learn_user,
};
use crate::runtime::bounded_map::BoundedMap;
use crate::runtime::telemetry::{LineLimit, error_chain};
use crate::store::{ChangeUsers, Store};

/// Maximum users that wait to be recorded; further ones wait for a later call of theirs.
const MAX_WAITING: usize = 256;
/// Minimum time between two records: a change of users keeps others out.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a user is recorded at most.
const INTERVAL: Duration = Duration::from_hours(1);
/// Maximum users whose last record is remembered.
const MAX_REMEMBERED: usize = 20_000;

/// Records users until the last handle is dropped.
pub(super) struct Learner {
    waiting: mpsc::Sender<User>,
    recent: Arc<Recent>,
}

impl Learner {
    /// Starts the task that records.
    pub(super) fn start(store: &Arc<dyn Store>) -> Self {
        let (sender, waiting) = mpsc::channel(MAX_WAITING);
        let recent = Arc::new(Recent::new(MAX_REMEMBERED));
        tokio::spawn(run(Arc::clone(store), waiting, Arc::clone(&recent)));
        Self { waiting: sender, recent }
    }

    /// Records a caller whose proof names a security identifier or user principal name, unless that happened within the last hour or
    /// too many wait.
    pub(super) fn learn(&self, caller: &Caller, now: Instant) {
        let Some(entry) = caller.proof.entry.as_ref().filter(|_| caller.sid.is_some() || caller.upn.is_some()) else {
            return;
        };
        // First, so that a caller who finds no place costs nothing and is not remembered.
        let Ok(place) = self.waiting.try_reserve() else { return };
        if self.recent.admits((caller.user, entry), now)
            && let Some(user) = learned(caller, entry)
        {
            place.send(user);
        }
    }
}

/// The user whom the proof of a caller vouches for; `None` if the name cannot be shown.
fn learned(caller: &Caller, entry: &Arc<str>) -> Option<User> {
    let name: String = caller.name.chars().take(DisplayName::MAX_CHARS).collect();
    Some(User {
        id: caller.user,
        source: UserSource::Learned(Arc::clone(entry)),
        sid: caller.sid.clone(),
        upn: caller.upn.clone(),
        name: DisplayName::parse("name", name).ok()?,
        // They change without notice, and every call names its own.
        groups: None,
        status: UserStatus::Active,
    })
}

async fn run(store: Arc<dyn Store>, mut waiting: mpsc::Receiver<User>, recent: Arc<Recent>) {
    let lines = LineLimit::default();
    while let Some(user) = waiting.recv().await {
        let learning = Learning(user);
        if let Err(error) = store.change_users(&learning).await {
            if let Some(entry) = learning.0.source.entry() {
                recent.forget(learning.0.id, entry);
            }
            if let Some(suppressed) = lines.admit() {
                let error = error_chain(&error);
                tracing::warn!(error, suppressed, "a user is not recorded; a later call of the user tries again");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Learning(User);

impl ChangeUsers for Learning {
    fn keys(&self) -> Vec<UserKeys> {
        vec![UserKeys::of_user(&self.0)]
    }

    fn decide(&self, stored: &[KnownUser]) -> Result<UserChanges, Refusal> {
        Ok(learn_user(self.0.clone(), stored))
    }
}

/// Users that were recorded within the last hour, and when.
struct Recent(Mutex<BoundedMap<Seen, Instant>>);

/// A user and the entry that it is known from.
type Seen = (UserId, Arc<str>);

impl Recent {
    /// Remembers at most `max` users, whose memory is small.
    fn new(max: usize) -> Self {
        Self(Mutex::new(BoundedMap::new(max, usize::MAX)))
    }

    /// Whether a user may be recorded now; if so, the user is remembered.
    fn admits(&self, (user, entry): (UserId, &Arc<str>), now: Instant) -> bool {
        let seen = (user, Arc::clone(entry));
        let mut remembered = self.lock();
        let is_due = remembered.get(&seen).is_none_or(|since| now.saturating_duration_since(*since) >= INTERVAL);
        if is_due {
            remembered.insert(seen, now, 0);
        }
        is_due
    }

    /// Lets a user be recorded again.
    fn forget(&self, user: UserId, entry: &str) {
        self.lock().remove(&(user, Arc::from(entry)));
    }

    fn lock(&self) -> MutexGuard<'_, BoundedMap<Seen, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Proof, ProofMethod, Sid};

    fn user(number: u128) -> UserId {
        UserId::new(Uuid::from_u128(number))
    }

    #[test]
    fn a_name_that_cannot_be_shown_is_not_learned() {
        let entry = Arc::from("adfs");
        let caller = |name: &str| Caller::unproven(user(1), name);
        let long = "ä".repeat(DisplayName::MAX_CHARS + 1);
        assert_eq!(learned(&caller(&long), &entry).unwrap().name.as_str(), &long[2..], "it is truncated");
        for name in ["", "a\nb"] {
            assert_eq!(learned(&caller(name), &entry), None);
        }
    }

    #[test]
    fn a_user_of_an_entry_is_recorded_at_most_once_an_hour() {
        let (recent, start) = (Recent::new(10), Instant::now());
        let [here, there] = ["adfs", "entra"].map(Arc::from);
        assert!(recent.admits((user(1), &here), start) && recent.admits((user(1), &there), start));
        assert!(!recent.admits((user(1), &here), start + INTERVAL / 2));
        assert!(recent.admits((user(1), &here), start + INTERVAL));
        assert!(!recent.admits((user(1), &here), start + INTERVAL));
        recent.forget(user(1), "adfs");
        assert!(recent.admits((user(1), &here), start + INTERVAL), "a failed record is tried again");
        assert!(!recent.admits((user(1), &there), start + INTERVAL / 2));
        assert_eq!(recent.lock().keys().len(), 2);
    }

    #[test]
    fn a_caller_who_finds_no_place_is_recorded_by_a_later_call() {
        let (sender, mut waiting) = mpsc::channel(1);
        let learner = Learner { waiting: sender, recent: Arc::new(Recent::new(10)) };
        let now = Instant::now();
        let learn = |number| {
            let proof = Proof { method: ProofMethod::Token, entry: Some(Arc::from("adfs")), expires_at: None };
            let sid = Sid::parse("S-1-5-21-1-2-3-4");
            learner.learn(&Caller { sid, proof, ..Caller::unproven(user(number), "a") }, now);
        };
        (1..100).for_each(learn);
        assert_eq!(learner.recent.lock().keys().len(), 1, "only the first one had a place");
        assert_eq!(waiting.try_recv().unwrap().id, user(1));
        learn(1);
        assert!(waiting.try_recv().is_err(), "it was recorded a moment ago");
        learn(2);
        assert_eq!(waiting.try_recv().unwrap().id, user(2));
    }

    #[test]
    fn few_users_are_remembered() {
        let (recent, now, entry) = (Recent::new(3), Instant::now(), Arc::from("adfs"));
        for number in 0..100 {
            assert!(recent.admits((user(number), &entry), now));
        }
        assert_eq!(recent.lock().keys().len(), 3);
    }
}
