//! What a lane checks before it fences anybody: reading alone, so that a lane that must not publish leaves the owner of the topic in
//! peace. The same checks decide again after the fence, when the tails are final.

use super::cursor::resume;
use super::halt::Halt;
use super::lane::Lane;
use super::stop::Stop;
use crate::domain::{Position, Shard};
use crate::kafka::{Tail, TopicDescription, describe_or_create_topic, describe_topic, peek_tails};
use crate::store::{Checkpoint, TopicIdentity};

impl Lane {
    /// Fails if the lane must not publish, as far as that can be seen without fencing. `halted` is why it did not so far.
    /// Gives the topic, unless the cluster keeps none.
    pub(super) fn check_before_fence(&self, halted: Option<&Halt>) -> Result<Option<TopicIdentity>, Stop> {
        if self.kafka.is_volatile {
            self.runtime.block_on(describe_or_create_topic(&self.kafka))?.check_partitions(&self.kafka)?;
            return Ok(None);
        }
        let topic = self.find_topic()?;
        topic.check_partitions(&self.kafka)?;
        // Read before the tails: what is known to be published then is on the topic by now.
        let checkpoints = self.ask(self.store.checkpoints())?;
        let tails = peek_tails(&self.kafka, self.status.shards())?;
        let heads = self.ask(self.store.heads())?;
        for tail in &tails {
            let stored = checkpoint_of(&checkpoints, tail.shard)?;
            let head = heads.get(tail.shard.index()).copied().unwrap_or_default();
            match self.check_tail(tail, stored, head) {
                // An open transaction hides what follows it; only what is seen counts.
                Err(Stop::Halt(halt)) if tail.open_from.is_some() && !halt.is_about_last_record() => {}
                checked => {
                    checked?;
                }
            }
        }
        self.check_still_halted(halted, &tails)?;
        Ok(Some(topic.identity))
    }

    /// The topic of this database. It is only created for a database that has none.
    fn find_topic(&self) -> Result<TopicDescription, Stop> {
        let Some(bound) = self.ask(self.store.topic())? else {
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

    /// Writes down the topic of a database that had none. Of two processes with different topics the second one fails.
    pub(super) fn bind(&self, topic: Option<&TopicIdentity>) -> Result<(), Stop> {
        let Some(topic) = topic else { return Ok(()) };
        if self.ask(self.store.topic())?.as_ref() == Some(topic) {
            return Ok(());
        }
        let bound = self.ask(self.store.bind_topic(topic))?;
        Halt::for_other_topic(&bound, topic).map_or(Ok(()), |halt| Err(halt.into()))
    }

    /// The position after which a shard goes on, if it may.
    pub(super) fn check_tail(&self, tail: &Tail, stored: &Checkpoint, head: Position) -> Result<Position, Stop> {
        if let Some(offset) = tail.foreign.filter(|offset| *offset > stored.ignored_to) {
            return Err(Halt::ForeignRecord { shard: tail.shard, offset }.into());
        }
        let cursor = resume(stored, tail, head, self.kafka.is_volatile)?;
        // The positions of another database may fit by chance; the event at the tail does not.
        let Some(told) = tail.last else { return Ok(cursor) };
        let before = Position::new(told.position.get().saturating_sub(1));
        let logged = self.ask(self.store.read_log(tail.shard, before, 1))?;
        match logged.first() {
            Some(event) if told.is(event) => Ok(cursor),
            _ => Err(Halt::TopicDiffers { shard: tail.shard, tail: told.position }.into()),
        }
    }

    /// What a lane halted for after the fence is looked at without another one.
    fn check_still_halted(&self, halted: Option<&Halt>, tails: &[Tail]) -> Result<(), Stop> {
        let lasts = match halted {
            Some(Halt::OpenTransaction { shard, start, .. }) => {
                tails.iter().any(|tail| tail.shard == *shard && tail.open_from == Some(*start))
            }
            Some(Halt::LogGap { shard, missing, .. }) => {
                let before = Position::new(missing.get().saturating_sub(1));
                let next = self.ask(self.store.read_log(*shard, before, 1))?;
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
