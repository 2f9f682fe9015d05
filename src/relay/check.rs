//! The checks before the fence. They only read, so a worker that must not publish does not disturb the healthy owner of the topic.
//! They run again after the fence, when the tails are final.

use super::context::Context;
use super::cursor::resume;
use super::halt::Halt;
use super::kafka::{Tail, TopicDescription, describe_or_create_topic, describe_topic, peek_tails};
use super::stop::Stop;
use crate::domain::{Position, Shard};
use crate::store::{Checkpoint, Store, StoreError, TopicIdentity};

/// The halt if the last record of a partition is not an event of the log. Positions of another database may match by chance; the
/// event does not.
pub(super) async fn compare_last(store: &dyn Store, tail: &Tail) -> Result<Option<Halt>, StoreError> {
    let Some(published) = tail.last else { return Ok(None) };
    let before = Position::new(published.position.get().saturating_sub(1));
    let logged = store.read_log(tail.shard, before, 1).await?;
    let is_logged = logged.first().is_some_and(|event| published.is(event));
    Ok((!is_logged).then_some(Halt::TopicDiffers { shard: tail.shard, topic_end: published.position }))
}

impl Context {
    /// Fails if the worker must not publish, as far as that shows without fencing. `halted` is the halt it is in.
    /// Returns the topic, unless the cluster keeps none.
    pub(super) fn check_before_fence(&self, halted: Option<&Halt>) -> Result<Option<TopicIdentity>, Stop> {
        if self.kafka.is_volatile {
            self.runtime.block_on(describe_or_create_topic(&self.kafka))?.check_partitions(&self.kafka)?;
            return Ok(None);
        }
        let topic = self.find_topic()?;
        topic.check_partitions(&self.kafka)?;
        // Read before the tails: whatever the checkpoints count as published is on the topic by now.
        let checkpoints = self.query(self.store.checkpoints())?;
        let tails = peek_tails(&self.kafka, self.shards())?;
        let log_ends = self.query(self.store.log_ends())?;
        for tail in &tails {
            let stored = checkpoint_of(&checkpoints, tail.shard)?;
            let log_end = log_ends.get(tail.shard.index()).copied().unwrap_or_default();
            match self.check_tail(tail, stored, log_end) {
                // An open transaction hides the records that follow it, so a missing record proves nothing.
                Err(Stop::Halt(halt)) if tail.open_from.is_some() && !halt.is_about_last_record() => {}
                checked => {
                    checked?;
                }
            }
        }
        self.check_still_halted(halted, &tails)?;
        Ok(Some(topic.identity))
    }

    /// The topic of this database; created only for a database that has none.
    fn find_topic(&self) -> Result<TopicDescription, Stop> {
        let Some(bound) = self.query(self.store.topic())? else {
            return Ok(self.runtime.block_on(describe_or_create_topic(&self.kafka))?);
        };
        if bound.topic != self.kafka.topic {
            return Err(Halt::OtherTopic { bound: bound.topic, configured: self.kafka.topic.clone() }.into());
        }
        let found = describe_topic(&self.kafka)?.ok_or(Halt::TopicMissing { topic: bound.topic.clone() })?;
        match Halt::for_other_topic(&bound, &found.identity) {
            Some(halt) => Err(halt.into()),
            None => Ok(found),
        }
    }

    /// Stores the topic of a database that had none. If two processes have different topics, the second one fails.
    pub(super) fn bind(&self, topic: Option<&TopicIdentity>) -> Result<(), Stop> {
        let Some(topic) = topic else { return Ok(()) };
        if self.query(self.store.topic())?.as_ref() == Some(topic) {
            return Ok(());
        }
        let bound = self.query(self.store.bind_topic(topic))?;
        Halt::for_other_topic(&bound, topic).map_or(Ok(()), |halt| Err(halt.into()))
    }

    /// The cursor of a shard, or the reason why it must not be published.
    pub(super) fn check_tail(&self, tail: &Tail, stored: &Checkpoint, log_end: Position) -> Result<Position, Stop> {
        if let Some(offset) = tail.foreign.filter(|offset| *offset > stored.ignored_to) {
            return Err(Halt::ForeignRecord { shard: tail.shard, offset }.into());
        }
        let cursor = resume(stored, tail, log_end, self.kafka.is_volatile)?;
        self.query(compare_last(&*self.store, tail))?.map_or(Ok(cursor), |halt| Err(halt.into()))
    }

    /// Checks, without another fence, whether the cause of a halt that was found after a fence persists.
    fn check_still_halted(&self, halted: Option<&Halt>, tails: &[Tail]) -> Result<(), Stop> {
        let lasts = match halted {
            Some(Halt::OpenTransaction { shard, start, .. }) => {
                tails.iter().any(|tail| tail.shard == *shard && tail.open_from == Some(*start))
            }
            Some(Halt::LogGap { shard, missing, .. }) => {
                let before = Position::new(missing.get().saturating_sub(1));
                let next = self.query(self.store.read_log(*shard, before, 1))?;
                next.first().is_none_or(|event| event.position != *missing)
            }
            _ => false,
        };
        match halted {
            Some(halt) if lasts => Err(halt.clone().into()),
            _ => Ok(()),
        }
    }
}

/// The checkpoint of a shard.
pub(super) fn checkpoint_of(checkpoints: &[Checkpoint], shard: Shard) -> Result<&Checkpoint, Halt> {
    checkpoints.get(shard.index()).ok_or(Halt::NoCheckpoint { shard })
}
