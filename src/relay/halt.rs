//! Why a worker must not publish until an operator has resolved the cause. Each message says what is wrong and which commands resolve it.

mod reason;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use uuid::Uuid;

use super::kafka::{KafkaFailure, KafkaSettings, TopicDescription};
use crate::domain::{Position, Shard};
use crate::store::{Publishing, TopicIdentity};

/// How to start an empty topic.
const START_EMPTY: &str = "`cmgate relay allow-empty-topic --from-checkpoint` (the topic starts with the first event that \
                           was not published) or `cmgate relay allow-empty-topic --from-start` (every event is published again)";

/// How to publish everything again to another topic.
const NEW_TOPIC: &str = "set `kafka.topic` to a new name and run `cmgate relay allow-empty-topic --from-start`, which publishes \
                         every event there";

/// Why a worker must not publish until an operator has resolved the cause.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Halt {
    /// The configuration names a topic other than the one that this database publishes to.
    #[error(
        "this database publishes to topic {bound}, but kafka.topic is {configured}. Set `kafka.topic` to {bound}. To move to \
         {configured}: if it is empty, run {start}; if it has the records of {bound}, run `cmgate relay adopt-topic`",
        start = START_EMPTY
    )]
    OtherTopic {
        /// The topic that was published to.
        bound: String,
        /// The topic of the configuration.
        configured: String,
    },
    /// The configuration names a cluster other than the one that this database publishes to.
    #[error(
        "this database publishes to cluster {bound}, but kafka.brokers belong to cluster {found}. Set `kafka.brokers` to brokers of \
         {bound}. To move to {found}: if topic {topic} is empty there, run {start}; if it has the records, run `cmgate relay \
         adopt-topic`", start = START_EMPTY
    )]
    OtherCluster {
        /// The topic.
        topic: String,
        /// Id of the cluster that was published to.
        bound: String,
        /// Id of the cluster that answers.
        found: String,
    },
    /// The topic was deleted and created again.
    #[error(
        "topic {topic} was deleted and created again: its id was {bound} and is {found}. If it is empty, run {start}. If its records \
         were restored, run `cmgate relay adopt-topic`. If it has other records, delete it first",
        start = START_EMPTY
    )]
    TopicRecreated {
        /// The topic.
        topic: String,
        /// Id of the topic that was published to.
        bound: String,
        /// Id of the topic that is there.
        found: String,
    },
    /// The topic does not exist, but events were published to it.
    #[error(
        "topic {topic} does not exist, but events were published to it. Restore it and run `cmgate relay adopt-topic`; or create it \
         with {start}", start = START_EMPTY
    )]
    TopicMissing {
        /// The topic.
        topic: String,
    },
    /// The topic has fewer partitions than the log has shards.
    #[error(
        "topic {topic} has {actual} partitions, the event log has {expected} shards. Run `kafka-topics.sh --bootstrap-server {brokers} \
         --alter --topic {topic} --partitions {expected}`"
    )]
    TooFewPartitions {
        /// The topic.
        topic: String,
        /// Brokers of the configuration.
        brokers: String,
        /// Shards of the log.
        expected: usize,
        /// Partitions of the topic.
        actual: usize,
    },
    /// The topic has more partitions than the log has shards.
    #[error(
        "topic {topic} has {actual} partitions, the event log has {expected} shards, and Kafka cannot remove partitions. Delete the topic \
         and run {start}; or {new}", start = START_EMPTY, new = NEW_TOPIC
    )]
    TooManyPartitions {
        /// The topic.
        topic: String,
        /// Shards of the log.
        expected: usize,
        /// Partitions of the topic.
        actual: usize,
    },
    /// A partition holds a record that no relay wrote.
    #[error(
        "partition {shard} has a record at offset {offset} that cmgate did not write. Revoke the write access of every other client \
         to the topic. To keep the record, run `cmgate relay ignore-record --shard {shard} --offset {offset}`"
    )]
    ForeignRecord {
        /// The partition.
        shard: Shard,
        /// Offset of the record.
        offset: i64,
    },
    /// A transaction stays open although every producer of the group was fenced: another client's, or one that the cluster failed to
    /// end (KAFKA-20734).
    #[error(
        "a transaction of another producer is open on partition {shard} from offset {start}; consumers cannot read past it. If that \
         producer is alive, stop it. If not, run `kafka-transactions.sh --bootstrap-server {brokers} abort --topic {topic} \
         --partition {shard} --start-offset {start}`; the relay then continues, or halts and says which records were lost"
    )]
    OpenTransaction {
        /// The topic.
        topic: String,
        /// Brokers of the configuration.
        brokers: String,
        /// The partition.
        shard: Shard,
        /// Offset of its first record.
        start: i64,
    },
    /// The topic is ahead of the database, which was restored or failed over to an older state.
    #[error(
        "shard {shard}: the topic ends at position {topic_end}, the log at {log_end}. The database is older than what was \
         published. Restore a newer one; or, to keep this one, {new}", new = NEW_TOPIC
    )]
    TopicAhead {
        /// The shard.
        shard: Shard,
        /// Last position on the topic.
        topic_end: Position,
        /// Last position of the log.
        log_end: Position,
    },
    /// The topic's last record is not the event that the log has at its position.
    #[error(
        "shard {shard}: topic and log have different events at position {topic_end}. The database was restored and written to since, \
         or another database publishes to this topic. Restore the right one; or, to keep this one, {new}", new = NEW_TOPIC
    )]
    TopicDiffers {
        /// The shard.
        shard: Shard,
        /// Last position on the topic.
        topic_end: Position,
    },
    /// The topic lacks records that were published.
    #[error(
        "shard {shard}: the topic ends at position {topic_end}, but positions up to {checkpoint} were published. The topic lost \
         records. Restore them, or publish them again from the log: `cmgate relay republish --shard {shard} --after {topic_end}`"
    )]
    TopicBehind {
        /// The shard.
        shard: Shard,
        /// Last position on the topic.
        topic_end: Position,
        /// Last position known to be published.
        checkpoint: Position,
    },
    /// The checkpoint is beyond the log.
    #[error(
        "shard {shard}: positions up to {checkpoint} were published, but the log ends at {log_end}. The database is inconsistent. \
         Restore a consistent one; or, to keep this one, {new}", new = NEW_TOPIC
    )]
    CheckpointAhead {
        /// The shard.
        shard: Shard,
        /// Last position known to be published.
        checkpoint: Position,
        /// Last position of the log.
        log_end: Position,
    },
    /// The partition is empty, but events were published before.
    #[error(
        "shard {shard}: the topic is new and empty, but positions up to {checkpoint} were published before. If this is intended, run \
         {start}", start = START_EMPTY
    )]
    TopicNew {
        /// The shard.
        shard: Shard,
        /// Last position known to be published.
        checkpoint: Position,
    },
    /// Retention removed every record, and it is not certain which was the last.
    #[error(
        "shard {shard}: retention has emptied the topic. Positions up to {checkpoint} were published, the log ends at {log_end}, and \
         events in between may have been published. If none was, or duplicates do no harm, run `cmgate relay allow-empty-topic \
         --from-checkpoint`"
    )]
    TopicEmptied {
        /// The shard.
        shard: Shard,
        /// Last position known to be published.
        checkpoint: Position,
        /// Last position of the log.
        log_end: Position,
    },
    /// The log lacks a position that was not published yet.
    #[error(
        "shard {shard}: position {missing} is missing from the log; the next one is {found}. The database is damaged. Restore the row of \
         table event_log, or the whole database, from a backup or a replica"
    )]
    LogGap {
        /// The shard.
        shard: Shard,
        /// The position that should come next.
        missing: Position,
        /// The position that comes next.
        found: Position,
    },
    /// The topic does not accept an event, even alone in a batch.
    #[error("{0}")]
    RecordTooLarge(String),
    /// The configuration has another mode than the one in which this database publishes.
    #[error("{}", bound.conflict())]
    OtherPublishing {
        /// The mode of the database.
        bound: Publishing,
    },
    /// The cluster accepts batches of fenced producers.
    #[error(
        "the cluster did not pass the test of kafka.publish = \"fenced\": {0}. Set `kafka.publish` to \"transactions\", which does not \
         need it"
    )]
    NotEnforced(String),
    /// A shard has no checkpoint.
    #[error(
        "shard {shard} has no row in table relay_checkpoint. The database is inconsistent. Restore a consistent one"
    )]
    NoCheckpoint {
        /// The shard.
        shard: Shard,
    },
}

impl Halt {
    /// The halt for a failure of Kafka that a new session cannot resolve.
    pub(super) fn for_failure(failure: &KafkaFailure, kafka: &KafkaSettings) -> Option<Self> {
        let brokers = || kafka.brokers.clone();
        match failure {
            KafkaFailure::PartitionCount { topic, expected, actual } if actual < expected => {
                Some(Self::TooFewPartitions {
                    topic: topic.clone(),
                    brokers: brokers(),
                    expected: *expected,
                    actual: *actual,
                })
            }
            KafkaFailure::PartitionCount { topic, expected, actual } => {
                Some(Self::TooManyPartitions { topic: topic.clone(), expected: *expected, actual: *actual })
            }
            KafkaFailure::ForeignTransaction { shard, start } => Some(Self::OpenTransaction {
                topic: kafka.topic.clone(),
                brokers: brokers(),
                shard: *shard,
                start: *start,
            }),
            KafkaFailure::RecordTooLarge { .. } => Some(Self::RecordTooLarge(failure.to_string())),
            KafkaFailure::NotEnforced(failure) => Some(Self::NotEnforced(failure.to_string())),
            KafkaFailure::Settings(_)
            | KafkaFailure::Property(_)
            | KafkaFailure::Fence(_)
            | KafkaFailure::Session(_)
            | KafkaFailure::FenceRenewal
            | KafkaFailure::ProducerReplaced { .. }
            | KafkaFailure::SelfTestTimeout
            | KafkaFailure::Call(..)
            | KafkaFailure::Describe(_)
            | KafkaFailure::CreateTopic { .. }
            | KafkaFailure::Delivery(_)
            | KafkaFailure::DeliveryTimeout(_)
            | KafkaFailure::BatchTooLarge { .. }
            | KafkaFailure::TopicReplaced(_)
            | KafkaFailure::OffsetBehind { .. } => None,
        }
    }

    /// The halt of the relay, given the topic of the database and the configured topic as the cluster describes it; `None` as far as
    /// these do not contradict each other.
    #[must_use]
    pub fn for_topic(
        bound: Option<&TopicIdentity>,
        found: Option<&TopicDescription>,
        kafka: &KafkaSettings,
    ) -> Option<Self> {
        if let Some(bound) = bound {
            if bound.topic != kafka.topic {
                return Some(Self::OtherTopic { bound: bound.topic.clone(), configured: kafka.topic.clone() });
            }
            let Some(found) = found else { return Some(Self::TopicMissing { topic: bound.topic.clone() }) };
            if let Some(halt) = Self::for_other_topic(bound, &found.identity) {
                return Some(halt);
            }
        }
        let failure = found?.check_partitions(kafka).err()?;
        Self::for_failure(&failure, kafka)
    }

    /// Whether it concerns the last record of a partition, whatever follows it.
    pub(super) const fn is_about_last_record(&self) -> bool {
        matches!(self, Self::TopicAhead { .. } | Self::TopicDiffers { .. } | Self::ForeignRecord { .. })
    }

    /// The halt if a topic is not the one that the log is published to.
    pub(super) fn for_other_topic(bound: &TopicIdentity, found: &TopicIdentity) -> Option<Self> {
        if bound.topic != found.topic {
            return Some(Self::OtherTopic { bound: bound.topic.clone(), configured: found.topic.clone() });
        }
        let topic = || bound.topic.clone();
        // An id that one side does not know cannot differ.
        match (&bound.cluster, &found.cluster) {
            (Some(was), Some(is)) if was != is => {
                return Some(Self::OtherCluster { topic: topic(), bound: was.clone(), found: is.clone() });
            }
            _ => {}
        }
        match (bound.topic_id, found.topic_id) {
            (Some(was), Some(is)) if was != is => {
                Some(Self::TopicRecreated { topic: topic(), bound: topic_id(was), found: topic_id(is) })
            }
            _ => None,
        }
    }
}

/// An id as the tools of Kafka show it.
fn topic_id(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id)
}

#[cfg(test)]
mod tests;
