//! Failures of Kafka, by what the relay does about them: begin a new session, or halt.

use std::error::Error;
use std::io;

use cmgate_fence::{Ended, Failure};
use rdkafka::error::KafkaError;
use thiserror::Error;

use super::property::PropertyError;
use crate::domain::Shard;

/// A failure of Kafka. `Display` omits the source; logs print the whole chain.
#[derive(Debug, Error)]
pub enum KafkaFailure {
    /// librdkafka rejects the settings.
    #[error("librdkafka rejects the Kafka settings")]
    Settings(#[source] KafkaError),
    /// The cluster did not answer in time, or answered with an error that may pass.
    #[error("Kafka did not {0}")]
    Call(&'static str, #[source] KafkaError),
    /// No broker described the topic.
    #[error("Kafka did not describe the topic")]
    Describe(#[source] io::Error),
    /// The topic could not be created.
    #[error("topic {topic} could not be created: {reason}")]
    CreateTopic {
        /// The topic.
        topic: String,
        /// What the cluster says.
        reason: String,
    },
    /// The topic has another number of partitions than the log has shards.
    #[error("topic {topic} has {actual} partitions, the event log has {expected} shards")]
    PartitionCount {
        /// The topic.
        topic: String,
        /// Shards of the log.
        expected: usize,
        /// Partitions of the topic.
        actual: usize,
    },
    /// A record was not delivered.
    #[error("a record was not delivered")]
    Delivery(#[source] KafkaError),
    /// Records were still in flight at the deadline.
    #[error("{0} records were not delivered in time")]
    DeliveryTimeout(i32),
    /// The topic was deleted, and may have been created again, while records were sent to it.
    #[error("topic {0} was deleted while the relay published to it")]
    TopicReplaced(String),
    /// Kafka acknowledged a record at an offset before the end of its partition, or without an offset.
    #[error(
        "partition {partition} ended at offset {end}, but Kafka acknowledged a record at offset {offset}; \
         the topic may have been deleted and created again"
    )]
    OffsetBehind {
        /// The partition.
        partition: i32,
        /// Offset of the record; negative if it is unknown.
        offset: i64,
        /// Offset that the record had to have at least.
        end: i64,
    },
    /// The topic does not accept a batch of this size.
    #[error("the topic does not accept a batch of about {bytes} bytes; retrying with a smaller one")]
    BatchTooLarge {
        /// Size of the records that go to the partition.
        bytes: usize,
        /// What the broker said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The topic does not accept a record, even alone in a batch.
    #[error(
        "partition {shard}: an event of {bytes} bytes exceeds max.message.bytes of topic {topic}. Raise it: `kafka-configs.sh \
         --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config \
         max.message.bytes=1048588`, which is Kafka's default and enough for every event"
    )]
    RecordTooLarge {
        /// The partition.
        shard: Shard,
        /// Size of the record with what a batch adds.
        bytes: usize,
        /// The topic.
        topic: String,
        /// Where the cluster is.
        brokers: String,
    },
    /// A transaction stays open on a partition although every producer of the group was fenced: another client's, or one that the
    /// cluster failed to end (KAFKA-20734).
    #[error("a transaction stays open on partition {shard} from offset {start}")]
    ForeignTransaction {
        /// The partition.
        shard: Shard,
        /// Offset of its first record.
        start: i64,
    },
    /// A property that the fenced publisher does not support.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// A fence failed, so its session never began.
    #[error("could not fence the predecessors")]
    Fence(#[source] Failure),
    /// A fenced session ended.
    #[error("the fenced session ended")]
    Session(#[source] Ended),
    /// A fenced session is old enough for the next fence.
    #[error("the fence is due for renewal")]
    FenceRenewal,
    /// The cluster gave the group a producer id whose fence does not cover the last session.
    #[error(
        "Kafka replaced producer id {recorded} of the last session by {found}, which does not fence that session; publishing \
         continues once none of its connections can be left, after 25 minutes"
    )]
    ProducerReplaced {
        /// The stored producer id.
        recorded: i64,
        /// The new one.
        found: i64,
    },
    /// The cluster accepts batches of fenced producers.
    #[error("the cluster accepts batches of fenced producers")]
    NotEnforced(#[source] Failure),
    /// The self-test took too long.
    #[error("Kafka did not complete the self-test of kafka.publish = \"fenced\" in time")]
    SelfTestTimeout,
}
