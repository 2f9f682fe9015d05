//! Tails: the last committed record of each partition, whose position is the relay's cursor.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::window::{Progress, Span, find_last};
use super::{KafkaFailure, KafkaSettings, PublishedEvent, drop_elsewhere};
use crate::domain::Shard;

/// Interval of checks whether an open transaction has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// The end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The shard that the partition publishes.
    pub shard: Shard,
    /// Whether records were removed: the first offset is not 0.
    pub was_trimmed: bool,
    /// Offset of the next record: the end of what can be read.
    pub end: i64,
    /// First offset of an open transaction, if there is one; later records are not read.
    pub open_from: Option<i64>,
    /// Offset of the last record among those read that this service did not write.
    pub foreign: Option<i64>,
    /// The event of the last committed record of this service, if there is one.
    pub last: Option<PublishedEvent>,
}

#[derive(Clone, Copy)]
struct Bounds {
    low: i64,
    /// Up to here every record is committed or aborted.
    stable: i64,
    high: i64,
}

impl Bounds {
    fn open_from(self) -> Option<i64> {
        (self.stable < self.high).then_some(self.stable)
    }
}

/// Reads the tails of partitions. Fence first: nothing may publish to them meanwhile.
///
/// # Errors
/// [`KafkaFailure::ForeignTransaction`] if somebody else writes to the topic; otherwise what the cluster says.
pub fn read_tails(settings: &KafkaSettings, shards: &[Shard]) -> Result<Vec<Tail>, KafkaFailure> {
    let reader = Reader::new(settings)?;
    let bounds = reader.settled_bounds(shards)?;
    reader.tails(shards, &bounds)
}

/// Reads the tails of partitions to which somebody may be publishing. A later record may follow each of them, and an open
/// transaction hides what is behind its first record.
///
/// # Errors
/// What the cluster says.
pub fn peek_tails(settings: &KafkaSettings, shards: &[Shard]) -> Result<Vec<Tail>, KafkaFailure> {
    let reader = Reader::new(settings)?;
    let bounds = reader.bounds(shards)?;
    reader.tails(shards, &bounds)
}

struct Reader<'a> {
    settings: &'a KafkaSettings,
    committed: Option<BaseConsumer<Progress>>,
    uncommitted: Option<BaseConsumer<Progress>>,
}

impl<'a> Reader<'a> {
    fn new(settings: &'a KafkaSettings) -> Result<Self, KafkaFailure> {
        let consumer = |level| {
            let consumer = settings.consumer(level).create_with_context(Progress::default());
            consumer.map_err(KafkaFailure::Settings).map(Some)
        };
        Ok(Self { settings, committed: consumer("read_committed")?, uncommitted: consumer("read_uncommitted")? })
    }

    fn tails(&self, shards: &[Shard], bounds: &BTreeMap<Shard, Bounds>) -> Result<Vec<Tail>, KafkaFailure> {
        let consumer = self.committed.as_ref().ok_or(KafkaFailure::Call("tell the tails", KafkaError::Canceled))?;
        let span = |shard: &Shard| Span { shard: *shard, low: bounds[shard].low, to: bounds[shard].stable };
        let last = find_last(consumer, &self.settings.topic, shards.iter().map(span))?;
        let tail = |shard: &Shard| Tail {
            shard: *shard,
            was_trimmed: bounds[shard].low > 0,
            end: bounds[shard].high,
            open_from: bounds[shard].open_from(),
            foreign: last.get(shard).and_then(|last| last.foreign),
            last: last.get(shard).and_then(|last| last.published),
        };
        Ok(shards.iter().map(tail).collect())
    }

    /// First and last offsets, once no transaction is open: the cluster is still aborting those of the predecessors.
    fn settled_bounds(&self, shards: &[Shard]) -> Result<BTreeMap<Shard, Bounds>, KafkaFailure> {
        let deadline = Instant::now() + self.settings.commit_timeout();
        loop {
            let bounds = self.bounds(shards)?;
            let unsettled = bounds.iter().find_map(|(shard, bounds)| Some((*shard, bounds.open_from()?)));
            match unsettled {
                None => return Ok(bounds),
                Some((shard, start)) if Instant::now() >= deadline => {
                    return Err(KafkaFailure::ForeignTransaction { shard, start });
                }
                Some(_) => thread::sleep(PAUSE),
            }
        }
    }

    fn bounds(&self, shards: &[Shard]) -> Result<BTreeMap<Shard, Bounds>, KafkaFailure> {
        let low = self.offsets(self.uncommitted.as_ref(), shards, Offset::Beginning)?;
        let high = self.offsets(self.uncommitted.as_ref(), shards, Offset::End)?;
        let stable = self.offsets(self.committed.as_ref(), shards, Offset::End)?;
        let bounds = |shard: &Shard| {
            // Read later than `high`, so it may be higher.
            let high = high[shard].max(stable[shard]);
            (*shard, Bounds { low: low[shard], stable: stable[shard], high })
        };
        Ok(shards.iter().map(bounds).collect())
    }

    /// Offsets of partitions. The partitions of a new topic have no leader for a moment.
    fn offsets(
        &self,
        consumer: Option<&BaseConsumer<Progress>>,
        shards: &[Shard],
        which: Offset,
    ) -> Result<BTreeMap<Shard, i64>, KafkaFailure> {
        let deadline = Instant::now() + KafkaSettings::CALL_TIMEOUT;
        loop {
            match self.try_offsets(consumer, shards, which) {
                Err(KafkaFailure::Call(_, error)) if is_without_leader(&error) && Instant::now() < deadline => {
                    thread::sleep(PAUSE);
                }
                found => return found,
            }
        }
    }

    fn try_offsets(
        &self,
        consumer: Option<&BaseConsumer<Progress>>,
        shards: &[Shard],
        which: Offset,
    ) -> Result<BTreeMap<Shard, i64>, KafkaFailure> {
        let failed = |error| KafkaFailure::Call("tell the offsets of the topic", error);
        let consumer = consumer.ok_or_else(|| failed(KafkaError::Canceled))?;
        let wanted = self.partitions(shards, |_| which).map_err(failed)?;
        let offsets = consumer.offsets_for_times(wanted, KafkaSettings::CALL_TIMEOUT).map_err(failed)?;
        let mut found = BTreeMap::new();
        for element in offsets.elements() {
            element.error().map_err(failed)?;
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0);
            let offset = offset.ok_or_else(|| failed(KafkaError::Canceled))?;
            found.insert(shard_of(element.partition()), offset);
        }
        if shards.iter().all(|shard| found.contains_key(shard)) { Ok(found) } else { Err(failed(KafkaError::Canceled)) }
    }

    fn partitions(&self, shards: &[Shard], offset: impl Fn(Shard) -> Offset) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(shards.len());
        for shard in shards {
            list.add_partition_offset(&self.settings.topic, shard.number().into(), offset(*shard))?;
        }
        Ok(list)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        drop_elsewhere((self.committed.take(), self.uncommitted.take()));
    }
}

/// Whether a partition has no leader yet, or broker and client disagree about it because it is new.
fn is_without_leader(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        FencedLeaderEpoch, LeaderNotAvailable, NotLeaderForPartition, UnknownLeaderEpoch, UnknownPartition,
        UnknownTopicOrPartition,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            FencedLeaderEpoch
                | LeaderNotAvailable
                | NotLeaderForPartition
                | UnknownLeaderEpoch
                | UnknownPartition
                | UnknownTopicOrPartition
        )
    )
}

/// The shard of a partition that was queried.
fn shard_of(partition: i32) -> Shard {
    Shard::new(u16::try_from(partition).unwrap_or(u16::MAX))
}
