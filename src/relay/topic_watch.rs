//! Checks in the background that the topic is still the one that the session began with.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::context::Context;
use super::halt::Halt;
use super::kafka::{KafkaFailure, TopicDescription, describe_topic};
use crate::store::TopicIdentity;

/// Interval of the checks. The offsets of records reveal another topic at once; this serves a worker that has nothing to publish.
const INTERVAL: Duration = Duration::from_secs(10);

/// Watches the topic of a session.
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

    /// Fails once the topic is known to be gone or replaced. An unreachable cluster is not a failure here.
    pub(super) fn check(&mut self, context: &Context) -> Result<(), Halt> {
        let Some(topic) = &self.topic else { return Ok(()) };
        if let Some(answer) = self.answer.take_if(|answer| answer.is_finished())
            && let Ok(Ok(found)) = context.runtime.block_on(answer)
        {
            let found = found.ok_or_else(|| Halt::TopicMissing { topic: topic.topic.clone() })?;
            Halt::for_other_topic(topic, &found.identity).map_or(Ok(()), Err)?;
        }
        if self.answer.is_none() && self.asked.elapsed() >= INTERVAL {
            self.asked = Instant::now();
            let kafka = context.kafka.clone();
            self.answer = Some(context.runtime.spawn_blocking(move || describe_topic(&kafka)));
        }
        Ok(())
    }
}
