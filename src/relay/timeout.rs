//! A time limit on every query of the relay. A database that vanishes without closing its connections would otherwise hold up a worker
//! until TCP gives up, a quarter of an hour later.

use std::time::Duration;

use crate::store::StoreError;

/// Longest wait for the answer to a query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a query; fails if it takes too long.
pub(super) async fn with_timeout<T>(query: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(QUERY_TIMEOUT, query).await;
    answer.unwrap_or(Err(StoreError::NoAnswer(QUERY_TIMEOUT)))
}
