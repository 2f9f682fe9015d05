//! Imports of profiles and cards, decided over the locked rows.

use std::collections::HashMap;

use crate::domain::{Credential, LockSet, Refusal, Request, RequestId, Timestamp, import, import_lock_set};
use crate::store::{Decide, LockedRows, MemberRows, Outcome, Store, StoreError, Workload, Writes};

/// Adds or replaces credentials that were issued elsewhere: all or, if one is refused, none. The paths in a refusal begin with
/// the index in `credentials`.
///
/// # Errors
/// See [`StoreError`]; unless the outcome is unknown, nothing has changed.
pub async fn import_credentials(
    store: &dyn Store,
    credentials: &[Credential],
    now: Timestamp,
) -> Result<Result<(), Refusal>, StoreError> {
    let committed = store.commit(&Import { credentials, now }).await?;
    let refusal = committed.writes.outcomes.into_iter().find_map(|outcome| match outcome {
        Outcome::Refused(refusal) => Some(refusal),
        Outcome::Unchanged { .. } | Outcome::Changed(_) => None,
    });
    Ok(refusal.map_or(Ok(()), Err))
}

struct Import<'s> {
    credentials: &'s [Credential],
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
        import_lock_set(self.credentials)
    }

    fn decide(&self, rows: LockedRows) -> Writes {
        let mut writes = Writes::default();
        if let Err(refusal) = import(self.credentials, &rows.credentials) {
            writes.outcomes.push(Outcome::Refused(refusal));
            return writes;
        }
        // If an id occurs twice, the last one wins, as in `import`.
        for credential in self.credentials {
            writes.credentials.add(credential.clone(), rows.credentials.get(credential.id()), self.now);
        }
        writes
    }

    fn decide_unread(&self) -> Option<Writes> {
        None
    }
}
