//! Detects clients that stop reading. A large response records since when it waits for its client; a connection with a response
//! that waits too long is closed.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Number of checks per time limit.
const CHECKS: u32 = 8;

/// The large responses in flight on a connection. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    answers: Mutex<Vec<Weak<Progress>>>,
    /// Wakes the connection when a response begins, so that an idle connection needs no timer.
    has_begun: Notify,
}

/// The progress of a response, which ends when its body and all of its bytes are dropped.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Option<Instant>>);

impl Answers {
    /// Registers a response.
    pub fn begin(&self) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&progress));
        self.0.has_begun.notify_one();
        progress
    }

    /// Waits until a response has waited for its client for `limit`.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            match self.longest_wait() {
                Some(wait) if wait >= limit => return,
                Some(_) => tokio::time::sleep(limit / CHECKS).await,
                None => self.0.has_begun.notified().await,
            }
        }
    }

    /// The longest wait of a response in flight; `None` if there are none.
    fn longest_wait(&self) -> Option<Duration> {
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|answer| answer.strong_count() > 0);
        answers.iter().filter_map(Weak::upgrade).map(|answer| answer.wait()).max()
    }
}

impl Progress {
    /// The connection holds a piece that the client has to read.
    pub fn waits_for_client(&self) {
        self.set(Some(Instant::now()));
    }

    /// The connection polled a piece that is not ready yet.
    pub fn waits_for_service(&self) {
        self.set(None);
    }

    fn set(&self, waits_since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waits_since;
    }

    fn wait(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map_or(Duration::ZERO, |since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_waits_for_its_client_is_noticed() {
        let answers = Answers::default();
        assert_eq!(answers.longest_wait(), None);
        let (slow, idle) = (answers.begin(), answers.begin());
        assert_eq!(answers.longest_wait(), Some(Duration::ZERO));
        slow.waits_for_client();
        idle.waits_for_client();
        idle.waits_for_service();
        answers.stalled(Duration::from_millis(1)).await;
        slow.waits_for_service();
        assert_eq!(answers.longest_wait(), Some(Duration::ZERO), "the service must produce the next piece");
        drop((slow, idle));
        assert_eq!(answers.longest_wait(), None);
    }
}
