//! Waiting for a condition. No test asserts how long something takes.

use std::time::Duration;

/// Longest wait for an expected condition; generous, because the machine may be busy with other work.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// Pause between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Waits until a condition holds; panics with `what` if it never does.
pub(crate) async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not true after {PATIENCE:?}: {what}");
}
