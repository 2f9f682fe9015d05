//! Size of a transaction per partition, which tells a batch that is too large from a record that is too large.

use std::collections::BTreeMap;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{KafkaFailure, Record};
use crate::domain::Shard;

/// Size of a batch without its records.
const BATCH_OVERHEAD: usize = 61;

/// Number and size of a transaction's records in each partition.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<i32, Group>);

#[derive(Default)]
struct Group {
    records: usize,
    bytes: usize,
}

impl Groups {
    /// Counts a record.
    pub(super) fn add(&mut self, record: &Record) {
        let group = self.0.entry(record.partition).or_default();
        group.records += 1;
        group.bytes += record.size();
    }

    /// The failure when the broker refuses a record of a partition.
    pub(super) fn refused(&self, partition: i32, source: KafkaError, topic: &str, brokers: &str) -> KafkaFailure {
        if !is_too_large(&source) {
            return KafkaFailure::Delivery(source);
        }
        match self.0.get(&partition) {
            Some(group) if group.records > 1 => {
                KafkaFailure::BatchTooLarge { bytes: group.bytes, source: source.into() }
            }
            group => KafkaFailure::RecordTooLarge {
                shard: Shard::new(u16::try_from(partition).unwrap_or(u16::MAX)),
                bytes: group.map_or(0, |group| group.bytes) + BATCH_OVERHEAD,
                topic: topic.to_owned(),
                brokers: brokers.to_owned(),
            },
        }
    }
}

/// Whether the broker, or librdkafka, refused a batch for its size.
const fn is_too_large(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{MessageBatchTooLarge, MessageSizeTooLarge};
    matches!(error, KafkaError::MessageProduction(MessageSizeTooLarge | MessageBatchTooLarge))
}
