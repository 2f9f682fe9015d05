//! Imports of profiles and cards, decided over the rows that the store holds.

use std::collections::HashMap;

use crate::domain::{LockSet, Refusal, Request, RequestId, Subject, Timestamp, import, import_lock_set};
use crate::store::{Decide, LockedRows, MemberRows, Outcome, Store, StoreError, Workload, Writes};

/// Adds subjects that were issued elsewhere, or replaces what is known of them; all of them or, if one is refused, none.
/// The paths in a refusal begin with the place in `subjects`.
///
/// # Errors
/// See [`StoreError`]; unless the outcome is unknown, nothing has changed.
pub async fn import_subjects(
    store: &dyn Store,
    subjects: &[Subject],
    now: Timestamp,
) -> Result<Result<(), Refusal>, StoreError> {
    let committed = store.commit(&Import { subjects, now }).await?;
    let refusal = committed.writes.outcomes.into_iter().find_map(|outcome| match outcome {
        Outcome::Refused(refusal) => Some(refusal),
        Outcome::Unchanged { .. } | Outcome::Changed(_) => None,
    });
    Ok(refusal.map_or(Ok(()), Err))
}

struct Import<'s> {
    subjects: &'s [Subject],
    now: Timestamp,
}

impl Decide for Import<'_> {
    fn workload(&self) -> Workload {
        Workload::Import
    }

    fn members(&self) -> Vec<MemberRows<'_>> {
        Vec::new()
    }

    fn lock_set(&self, _requests: &HashMap<RequestId, Request>) -> LockSet {
        import_lock_set(self.subjects)
    }

    fn decide(&self, rows: LockedRows) -> Writes {
        let mut writes = Writes::default();
        if let Err(refusal) = import(self.subjects, &rows.subjects) {
            writes.outcomes.push(Outcome::Refused(refusal));
            return writes;
        }
        // Of two with the same id the last counts, as in the import.
        for subject in self.subjects {
            writes.subjects.add(subject.clone(), rows.subjects.get(subject.id()), self.now);
        }
        writes
    }

    fn decide_unread(&self) -> Option<Writes> {
        None
    }
}
