//! Looks from time to time whether the topic is still the one that a session began with. The lane does not wait for the answer.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::halt::Halt;
use super::lane::Lane;
use crate::kafka::{KafkaFailure, TopicDescription, describe_topic};
use crate::store::TopicIdentity;

/// How often it looks. Records that go to another topic are noticed at once, by their offsets; this is for a lane without records.
const INTERVAL: Duration = Duration::from_secs(10);

/// The topic of a session, watched.
pub(super) struct TopicWatch {
    topic: Option<TopicIdentity>,
    asked: Instant,
    answer: Option<JoinHandle<Result<Option<TopicDescription>, KafkaFailure>>>,
}

impl TopicWatch {
    /// Watches a topic, or nothing if the cluster keeps no topics.
    pub(super) fn new(topic: Option<TopicIdentity>) -> Self {
        Self { topic, asked: Instant::now(), answer: None }
    }

    /// Fails once the topic is known to be gone or to be another one. A cluster that does not answer is no reason.
    pub(super) fn check(&mut self, lane: &Lane) -> Result<(), Halt> {
        let Some(topic) = &self.topic else { return Ok(()) };
        if let Some(answer) = self.answer.take_if(|answer| answer.is_finished())
            && let Ok(Ok(found)) = lane.runtime.block_on(answer)
        {
            let found = found.ok_or_else(|| Halt::TopicMissing { topic: topic.topic.clone() })?;
            Halt::for_other_topic(topic, &found.identity).map_or(Ok(()), Err)?;
        }
        if self.answer.is_none() && self.asked.elapsed() >= INTERVAL {
            self.asked = Instant::now();
            let kafka = lane.kafka.clone();
            self.answer = Some(lane.runtime.spawn_blocking(move || describe_topic(&kafka)));
        }
        Ok(())
    }
}
