//! Questions of the relay to the store. None is waited for without end: a database that vanished without a word would hold the relay
//! for a quarter of an hour.

use std::time::Duration;

use crate::store::StoreError;

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to a question, if it comes in time.
pub(super) async fn in_time<T>(question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, question).await;
    answer.unwrap_or(Err(StoreError::NoAnswer(ANSWER_TIMEOUT)))
}
