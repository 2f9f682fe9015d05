//! Conflicts between transactions: detection and retry.

use crate::store::StoreError;

/// Maximum attempts at a transaction that conflicts with another one on an idempotency key or a credential, or that Postgres
/// aborts to resolve a deadlock.
const ATTEMPTS: u32 = 4;

/// Constraints that a batch violates if another one has added the same row meanwhile.
const CONFLICT_CONSTRAINTS: [&str; 4] =
    ["idempotency_key_pkey", "credential_pkey", "credential_serial_number_in_use", "credential_valid_on_card"];

/// Retries a transaction that conflicts with another one. The next attempt sees what the winner wrote.
pub(super) async fn retry_on_conflict<T, F>(transaction: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut attempt = 1;
    loop {
        match transaction().await {
            Err(error) if attempt < ATTEMPTS && is_conflict(&error) => attempt += 1,
            result => return result,
        }
    }
}

/// Whether an error is a violation of `CONFLICT_CONSTRAINTS`, a serialization failure or a deadlock.
pub(super) fn is_conflict(error: &StoreError) -> bool {
    let StoreError::Refused(error) = error else { return false };
    error.as_database_error().is_some_and(|error| {
        let on_new = error.constraint().is_some_and(|name| CONFLICT_CONSTRAINTS.contains(&name));
        on_new || error.code().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
    })
}
