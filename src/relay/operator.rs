//! The operator overrides: the topic of the log, the start of an empty topic, the records to publish again, and the foreign records to
//! keep. Each command reads the topic first and refuses what contradicts it. Halted workers pick the decision up by themselves. The
//! calls to Kafka block.

use cmgate_fence::{Previous, ProducerId};
use thiserror::Error;
use uuid::Uuid;

use super::check::compare_last;
use super::group::PartitionGroup;
use super::halt::Halt;
use super::kafka::{
    FencedClaim, KafkaFailure, KafkaSettings, Publisher, Tail, TopicDescription, describe_or_create_topic,
    describe_topic, peek_tails, read_tails, self_test,
};
use crate::domain::{Position, Shard};
use crate::store::{Checkpoint, Publishing, Store, StoreError, TopicIdentity};

/// Attempts to store a decision between the sessions of workers that are not halted.
const ATTEMPTS: u32 = 10;

/// Where the relay starts an empty topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// At the first position: publish every event again.
    Start,
    /// After the checkpoint: repeat nothing that was published before.
    Checkpoint,
}

/// Why an override was not stored.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// It contradicts the topic. Nothing has changed.
    #[error("{0}")]
    Refused(String),
    /// Kafka failed, so the topic could not be compared with the log.
    #[error("could not read the topic")]
    Kafka(#[from] KafkaFailure),
    /// The database failed; the error says whether the override is stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operator of the configured log and topic.
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    /// The log and its checkpoints.
    pub store: &'a dyn Store,
    /// The cluster and the topic of the relay.
    pub kafka: &'a KafkaSettings,
}

impl Operator<'_> {
    /// Lets the relay start the empty partitions, and makes this the topic of the log. Creates a topic that does not exist.
    /// Returns the checkpoints of those partitions.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] if the topic is not the log's topic and has records, or if no partition lacks all its records.
    pub async fn allow_empty_topic(self, from: StartFrom) -> Result<Vec<Checkpoint>, OperatorError> {
        let bound = self.store.topic().await?;
        let topic = describe_or_create_topic(self.kafka).await?;
        self.check_partitions(&topic)?;
        let is_new = bound.is_none_or(|bound| Halt::for_other_topic(&bound, &topic.identity).is_some());
        if is_new {
            self.test_cluster().await?;
        }
        let log_ends = self.store.log_ends().await?;
        for _ in 0..ATTEMPTS {
            let tails = peek_tails(self.kafka, &self.all_shards())?;
            let mut empty: Vec<Shard> = tails.iter().filter(|tail| is_empty(tail)).map(|tail| tail.shard).collect();
            if empty.len() < tails.len() {
                // In a topic with records, the partition of a shard without events is rightly empty.
                empty.retain(|shard| log_ends.get(shard.index()).is_some_and(|end| *end > Position::START));
            }
            if let Some(tail) = tails.iter().find(|tail| !is_empty(tail)).filter(|_| is_new || empty.is_empty()) {
                return Err(self.not_empty(tail));
            }
            let decide = |checkpoint: &mut Checkpoint| {
                checkpoint.may_start_topic = true;
                // Offsets of another topic mean nothing in this one.
                checkpoint.ignored_to = -1;
                if from == StartFrom::Start {
                    checkpoint.position = Position::START;
                    checkpoint.exact = false;
                }
            };
            let still_empty = async || Ok(self.final_tails(&topic.identity, &empty).await?.iter().all(is_empty));
            if let Some(decided) = self.decide(&topic.identity, &empty, still_empty, decide).await? {
                return Ok(decided);
            }
        }
        Err(busy())
    }

    /// Makes a topic that has the records of the log its topic: a copy on another cluster or under another name, or one that was
    /// restored. Gives the shards of which it lacks records.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] if the topic does not exist, is empty, or ends with something that the log does not have.
    pub async fn adopt_topic(self) -> Result<Vec<Halt>, OperatorError> {
        let topic = self.describe()?;
        self.check_partitions(&topic)?;
        self.test_cluster().await?;
        for _ in 0..ATTEMPTS {
            let tails = peek_tails(self.kafka, &self.all_shards())?;
            if tails.iter().all(is_empty) {
                let text = format!("topic {} is empty; run `cmgate relay allow-empty-topic`", self.kafka.topic);
                return Err(OperatorError::Refused(text));
            }
            for tail in &tails {
                self.check_record(tail).await?;
            }
            let shards = self.all_shards();
            let forget = |checkpoint: &mut Checkpoint| checkpoint.ignored_to = -1;
            if let Some(checkpoints) = self.decide(&topic.identity, &shards, async || Ok(true), forget).await? {
                let lacks = |tail: &Tail| {
                    let checkpoint = checkpoints.get(tail.shard.index())?.position;
                    let last = tail.last.map(|published| published.position)?;
                    (last < checkpoint).then_some(Halt::TopicBehind { shard: tail.shard, topic_end: last, checkpoint })
                };
                return Ok(tails.iter().filter_map(lacks).collect());
            }
        }
        Err(busy())
    }

    /// Lets the relay publish again what the topic has lost of a shard after a position.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] unless that position is the last one on the topic, and nothing is missing otherwise.
    pub async fn republish(self, shard: Shard, after: Position) -> Result<Checkpoint, OperatorError> {
        let topic = self.own_topic(shard).await?;
        let check = async |tails: Vec<Tail>| {
            let Some(tail) = tails.first() else { return Ok(false) };
            self.check_record(tail).await?;
            match tail.last.map(|published| published.position) {
                Some(last) if last == after => Ok(true),
                Some(last) => Err(refused(format!(
                    "shard {shard}: the topic ends at position {last}, not at {after}; nothing has changed"
                ))),
                None => {
                    Err(refused(format!("shard {shard}: the topic is empty; run `cmgate relay allow-empty-topic`")))
                }
            }
        };
        for _ in 0..ATTEMPTS {
            check(peek_tails(self.kafka, &[shard])?).await?;
            let known = self.checkpoint(shard).await?.position;
            if known <= after {
                let text =
                    format!("shard {shard}: nothing is missing; {known} is the last position known to be published");
                return Err(refused(text));
            }
            let still_ends_there = async || check(self.final_tails(&topic.identity, &[shard]).await?).await;
            let set_back = |checkpoint: &mut Checkpoint| {
                checkpoint.position = after;
                checkpoint.exact = false;
            };
            let decided = self.decide(&topic.identity, &[shard], still_ends_there, set_back).await?;
            if let Some(checkpoint) = decided.and_then(|checkpoints| checkpoints.first().copied()) {
                return Ok(checkpoint);
            }
        }
        Err(busy())
    }

    /// Keeps a foreign record, and those before it, in a partition.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] unless it is the last such record.
    pub async fn ignore_record(self, shard: Shard, offset: i64) -> Result<Checkpoint, OperatorError> {
        let topic = self.own_topic(shard).await?;
        for _ in 0..ATTEMPTS {
            let tails = peek_tails(self.kafka, &[shard])?;
            let foreign = tails.first().and_then(|tail| tail.foreign);
            if foreign != Some(offset) {
                let found =
                    foreign.map_or("has none".to_owned(), |offset| format!("has its last one at offset {offset}"));
                let text =
                    format!("partition {shard} has no last record of somebody else at offset {offset}; it {found}");
                return Err(refused(text));
            }
            let ignore = |checkpoint: &mut Checkpoint| checkpoint.ignored_to = offset;
            let decided = self.decide(&topic.identity, &[shard], async || Ok(true), ignore).await?;
            if let Some(checkpoint) = decided.and_then(|checkpoints| checkpoints.first().copied()) {
                return Ok(checkpoint);
            }
        }
        Err(busy())
    }

    /// Stores a decision unless a worker begins a session meanwhile, which fences this operator. `is_so` checks the topic again once
    /// the checkpoints are claimed.
    async fn decide(
        self,
        topic: &TopicIdentity,
        shards: &[Shard],
        is_so: impl AsyncFn() -> Result<bool, OperatorError>,
        decision: impl Fn(&mut Checkpoint),
    ) -> Result<Option<Vec<Checkpoint>>, OperatorError> {
        self.store.claim_checkpoints(shards, Uuid::new_v4()).await?;
        let mut checkpoints = self.store.checkpoints().await?;
        checkpoints.retain(|checkpoint| shards.contains(&checkpoint.shard));
        if !is_so().await? {
            return Ok(None);
        }
        checkpoints.iter_mut().for_each(decision);
        Ok(self.store.rebind_topic(topic, &checkpoints).await?.then_some(checkpoints))
    }

    fn all_shards(self) -> Vec<Shard> {
        self.store.topology().shards.shards().collect()
    }

    async fn checkpoint(self, shard: Shard) -> Result<Checkpoint, OperatorError> {
        let checkpoint = self.store.checkpoints().await?.get(shard.index()).copied();
        checkpoint.ok_or_else(|| refused(Halt::NoCheckpoint { shard }.to_string()))
    }

    fn describe(self) -> Result<TopicDescription, OperatorError> {
        let found = describe_topic(self.kafka)?;
        found.ok_or_else(|| refused(format!("topic {} does not exist", self.kafka.topic)))
    }

    /// The topic of the log, for an override of one of its shards.
    async fn own_topic(self, shard: Shard) -> Result<TopicDescription, OperatorError> {
        let shards = self.store.topology().shards;
        if shard.number() >= shards.get() {
            return Err(refused(format!("--shard: there is no shard {shard}; the log has {} shards", shards.get())));
        }
        let topic = self.describe()?;
        self.check_partitions(&topic)?;
        match self.store.topic().await?.and_then(|bound| Halt::for_other_topic(&bound, &topic.identity)) {
            Some(halt) => Err(refused(halt.to_string())),
            None => Ok(topic),
        }
    }

    fn check_partitions(self, topic: &TopicDescription) -> Result<(), OperatorError> {
        topic.check_partitions(self.kafka).map_err(|failure| self.failed(failure))
    }

    /// Checks that the cluster refuses fenced producers, if that matters: it may be another one than before.
    async fn test_cluster(self) -> Result<(), OperatorError> {
        match self.kafka.publishing {
            Publishing::Transactions => Ok(()),
            Publishing::Fenced => self_test(self.kafka).await.map_err(|failure| self.failed(failure)),
        }
    }

    /// Checks that the last record of a partition is an event of the log.
    async fn check_record(self, tail: &Tail) -> Result<(), OperatorError> {
        let (shard, stored) = (tail.shard, self.checkpoint(tail.shard).await?);
        if let Some(start) = tail.open_from {
            return Err(self.failed(KafkaFailure::ForeignTransaction { shard, start }));
        }
        if let Some(offset) = tail.foreign.filter(|offset| *offset > stored.ignored_to) {
            return Err(refused(Halt::ForeignRecord { shard, offset }.to_string()));
        }
        compare_last(self.store, tail).await?.map_or(Ok(()), |halt| Err(refused(halt.to_string())))
    }

    /// The final tails of shards: their owners are fenced first.
    async fn final_tails(self, topic: &TopicIdentity, shards: &[Shard]) -> Result<Vec<Tail>, OperatorError> {
        let is_wanted = |group: &PartitionGroup| shards.iter().any(|shard| group.shards.contains(shard));
        let groups = PartitionGroup::all(self.store.topology()).filter(is_wanted);
        match self.kafka.publishing {
            Publishing::Transactions => {
                let fences = groups.map(|group| Publisher::fence(self.kafka, group.number));
                let _publishers = fences.collect::<Result<Vec<_>, _>>()?;
                read_tails(self.kafka, shards).map_err(|failure| self.failed(failure))
            }
            Publishing::Fenced => {
                let mut tails = Vec::new();
                for group in groups {
                    tails.extend(self.fenced_tails(topic, &group).await?);
                }
                tails.retain(|tail| shards.contains(&tail.shard));
                tails.sort_by_key(|tail| tail.shard);
                Ok(tails)
            }
        }
    }

    /// The tails of a group whose fence this process has now.
    async fn fenced_tails(self, topic: &TopicIdentity, group: &PartitionGroup) -> Result<Vec<Tail>, OperatorError> {
        let stored = self.store.producer_id(group.number, topic).await?;
        let previous = stored.map_or(Previous::None, |id| Previous::Recorded(ProducerId::new(id)));
        let claim = FencedClaim::take(self.kafka, group.number, &group.shards, previous);
        let claim = claim.await.map_err(|failure| self.failed(failure))?;
        let id = claim.producer_id().get();
        if stored != Some(id) {
            self.store.put_producer_id(group.number, topic, id).await?;
        }
        let fenced = claim.fence(Some(topic)).await.map_err(|failure| self.failed(failure))?;
        Ok(fenced.1)
    }

    fn failed(self, failure: KafkaFailure) -> OperatorError {
        match Halt::for_failure(&failure, self.kafka) {
            Some(halt) => refused(halt.to_string()),
            None => failure.into(),
        }
    }

    fn not_empty(self, tail: &Tail) -> OperatorError {
        let what = match (tail.last, tail.open_from) {
            (Some(published), _) => format!("position {} is its last", published.position),
            (None, Some(start)) => format!("a transaction is open from offset {start}"),
            (None, None) => "it holds records of somebody else".to_owned(),
        };
        refused(format!(
            "topic {} is not empty: in partition {}, {what}. If it has the records of this database, run `cmgate relay adopt-topic`; \
             if not, delete it or set `kafka.topic` to a new name, and try again",
            self.kafka.topic, tail.shard
        ))
    }
}

fn is_empty(tail: &Tail) -> bool {
    tail.last.is_none() && tail.foreign.is_none() && tail.open_from.is_none()
}

fn refused(text: String) -> OperatorError {
    OperatorError::Refused(text)
}

fn busy() -> OperatorError {
    refused("relay workers keep starting new sessions; stop the service and try again".to_owned())
}
