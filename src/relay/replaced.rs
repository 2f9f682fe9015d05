//! A producer id that Kafka has replaced: when the last session can no longer publish under the old one.

use std::cell::Cell;
use std::time::{Duration, Instant};

use cmgate_fence::{Previous, ProducerId};

use super::kafka::KafkaFailure;

/// Time after which no connection of a session with another producer id is left: twice the default of `connections.max.idle.ms`, and
/// some. A process that runs closes them itself when it loses its lock; those of a stopped one are closed by the brokers.
const ABANDONED_AFTER: Duration = Duration::from_mins(25);

/// Since when fences find another producer id than that of the last session. Kept over all sessions of a worker.
#[derive(Debug, Default)]
pub(super) struct Replaced(Cell<Option<Instant>>);

impl Replaced {
    /// What the next claim has to prove about the last session, given its stored producer id.
    pub(super) fn previous(&self, stored: Option<i64>, now: Instant) -> Previous {
        match (stored, self.0.get()) {
            (None, _) => Previous::None,
            (Some(_), Some(since)) if now.saturating_duration_since(since) >= ABANDONED_AFTER => Previous::Abandoned,
            (Some(id), _) => Previous::Recorded(ProducerId::new(id)),
        }
    }

    /// Notes the outcome of a claim. A failure that says nothing about the producer id changes nothing.
    pub(super) fn note(&self, outcome: Result<(), &KafkaFailure>, now: Instant) {
        match outcome {
            Ok(()) => self.0.set(None),
            Err(KafkaFailure::ProducerReplaced { .. }) => self.0.set(self.0.get().or(Some(now))),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: i64 = 7;
    const RECORDED: Previous = Previous::Recorded(ProducerId::new(STORED));

    #[test]
    fn another_producer_id_is_accepted_once_no_connection_of_the_last_session_is_left() {
        let (replaced, begin) = (Replaced::default(), Instant::now());
        let (missing, other) =
            (KafkaFailure::ProducerReplaced { recorded: STORED, found: 8 }, KafkaFailure::SelfTestTimeout);
        let after = begin + ABANDONED_AFTER;
        let almost = after.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(replaced.previous(None, begin), Previous::None);
        assert_eq!(replaced.previous(Some(STORED), begin), RECORDED);
        replaced.note(Err(&other), begin);
        assert_eq!(replaced.previous(Some(STORED), after), RECORDED, "nothing is known of the id");
        replaced.note(Err(&missing), begin);
        // The time runs from the first claim that found the id.
        replaced.note(Err(&missing), almost);
        replaced.note(Err(&other), almost);
        assert_eq!(replaced.previous(Some(STORED), almost), RECORDED);
        assert_eq!(replaced.previous(Some(STORED), after), Previous::Abandoned);
        assert_eq!(replaced.previous(None, after), Previous::None);
        replaced.note(Ok(()), after);
        assert_eq!(replaced.previous(Some(STORED), after + ABANDONED_AFTER), RECORDED);
    }
}
