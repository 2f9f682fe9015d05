//! Clients that stop taking their answers. A large answer notes when it waits for its client; a connection whose client lets an
//! answer wait too long is closed.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How often, in a time limit, a connection looks at its answers.
const LOOKS: u32 = 8;

/// The large answers under way on a connection. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    answers: Mutex<Vec<Weak<Progress>>>,
    /// Wakes the connection after its first answer, so that an idle connection needs no timer.
    has_begun: Notify,
}

/// How an answer gets on. It ends when its body and all of its bytes are dropped.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Option<Instant>>);

impl Answers {
    /// Begins an answer.
    pub fn begin(&self) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&progress));
        self.0.has_begun.notify_one();
        progress
    }

    /// Waits until a client has taken nothing of an answer for this long.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            match self.longest_wait() {
                Some(wait) if wait >= limit => return,
                Some(_) => tokio::time::sleep(limit / LOOKS).await,
                None => self.0.has_begun.notified().await,
            }
        }
    }

    /// How long the answers under way have waited for their client at most; `None` if there are none.
    fn longest_wait(&self) -> Option<Duration> {
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|answer| answer.strong_count() > 0);
        answers.iter().filter_map(Weak::upgrade).map(|answer| answer.wait()).max()
    }
}

impl Progress {
    /// The connection has got a piece; the client has to take it.
    pub fn given(&self) {
        self.set(Some(Instant::now()));
    }

    /// The connection asked for a piece that is not there yet.
    pub fn asked(&self) {
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
        slow.given();
        idle.given();
        idle.asked();
        answers.stalled(Duration::from_millis(1)).await;
        slow.asked();
        assert_eq!(answers.longest_wait(), Some(Duration::ZERO), "the service has to make the next piece");
        drop((slow, idle));
        assert_eq!(answers.longest_wait(), None);
    }
}
