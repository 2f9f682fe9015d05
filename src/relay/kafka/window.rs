//! Finds the last committed records of partitions by reading backwards.
//!
//! Markers and aborted records use offsets but are never delivered, and any number of them may be at the end. So a partition is read
//! in windows, each before the last one and larger, until one has a committed record. Fetches are small and cover few partitions at
//! once; a scan fails only when it makes no progress. A window is read up to the first marker behind it: only that marker shows that
//! no more of the window will be delivered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{ClientContext, Message, Offset, Statistics, TopicPartitionList};

use super::{KafkaFailure, PublishedEvent, tally};
use crate::domain::Shard;

/// First window, in offsets: room for the last record and its marker.
const FIRST_WINDOW: i64 = 8;

/// Factor by which windows grow.
const GROWTH: i64 = 4;

/// Largest window. A window with a record is read to its end, since the last record counts.
const MAX_WINDOW: i64 = 16_384;

/// Partitions that are read at once.
const GROUP: usize = 16;

/// Longest time without progress.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest wait for a record before checking for other progress.
const STEP: Duration = Duration::from_millis(10);

/// What is left to read of a partition: offsets from `low` up to `to`. Nothing after is committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) shard: Shard,
    pub(super) low: i64,
    pub(super) to: i64,
}

/// A span with the window at its end that is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    shard: Shard,
    low: i64,
    from: i64,
    to: i64,
}

impl Window {
    /// The last window of a span; none if it is empty.
    fn last(Span { shard, low, to }: Span) -> Option<Self> {
        (low < to).then(|| Self { shard, low, from: low.max(to - FIRST_WINDOW), to })
    }

    /// The one before, unless this one was the first.
    fn before(self) -> Option<Self> {
        let width = ((self.to - self.from) * GROWTH).min(MAX_WINDOW);
        let (from, to) = (self.low.max(self.from - width), self.from);
        (self.low < to).then_some(Self { from, to, ..self })
    }
}

/// The last records of a partition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    /// The event of the last one of this service.
    pub(super) published: Option<PublishedEvent>,
    /// Offset of the last one that this service did not write, if it follows that record.
    pub(super) foreign: Option<i64>,
}

/// Finds the last committed records of each span; partitions without any are left out.
pub(super) fn find_last(
    consumer: &BaseConsumer<Progress>,
    topic: &str,
    spans: impl Iterator<Item = Span>,
) -> Result<BTreeMap<Shard, Last>, KafkaFailure> {
    let mut last: BTreeMap<Shard, Last> = BTreeMap::new();
    let mut windows: Vec<Window> = spans.filter_map(Window::last).collect();
    while !windows.is_empty() {
        for group in windows.chunks(GROUP) {
            for (shard, found) in Reading::begin(consumer, topic, group)?.finish()? {
                let last = last.entry(shard).or_default();
                last.published = found.published;
                // What lies behind was read before.
                last.foreign = last.foreign.or(found.foreign);
            }
        }
        windows.retain(|window| last.get(&window.shard).is_none_or(|last| last.published.is_none()));
        windows = windows.into_iter().filter_map(Window::before).collect();
    }
    Ok(last)
}

/// The reading of one window in each of some partitions.
struct Reading<'a> {
    consumer: &'a BaseConsumer<Progress>,
    topic: &'a str,
    /// Windows that are not at their end, by partition.
    open: BTreeMap<i32, Window>,
    last: BTreeMap<Shard, Last>,
    positions: BTreeMap<i32, i64>,
    /// Positions from before, which say nothing about this reading.
    stale: BTreeMap<i32, i64>,
    fetched: i64,
    progressed: Instant,
}

impl<'a> Reading<'a> {
    fn begin(consumer: &'a BaseConsumer<Progress>, topic: &'a str, windows: &[Window]) -> Result<Self, KafkaFailure> {
        let mut list = TopicPartitionList::with_capacity(windows.len());
        for window in windows {
            let offset = Offset::Offset(window.from);
            list.add_partition_offset(topic, window.shard.number().into(), offset).map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        // A partition stays paused beyond its assignment.
        consumer.resume(&list).map_err(failed)?;
        let stale = positions(consumer)?;
        Ok(Self {
            consumer,
            topic,
            open: windows.iter().map(|window| (window.shard.number().into(), *window)).collect(),
            last: BTreeMap::new(),
            positions: stale.clone(),
            stale,
            fetched: 0,
            progressed: Instant::now(),
        })
    }

    fn finish(mut self) -> Result<BTreeMap<Shard, Last>, KafkaFailure> {
        while !self.open.is_empty() {
            match self.consumer.poll(STEP) {
                Some(Ok(record)) => self.note(&record)?,
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.open.remove(&partition);
                    self.progressed = Instant::now();
                }
                Some(Err(error)) => return Err(failed(error)),
                None => self.look()?,
            }
        }
        Ok(self.last)
    }

    fn note<M: Message>(&mut self, record: &M) -> Result<(), KafkaFailure> {
        self.progressed = Instant::now();
        let (partition, offset) = (record.partition(), record.offset());
        let Some(window) = self.open.get(&partition).copied() else { return Ok(()) };
        if offset < window.to {
            let last = self.last.entry(window.shard).or_default();
            match PublishedEvent::read(record) {
                Some(published) => last.published = Some(published),
                None => last.foreign = Some(offset),
            }
        }
        if offset + 1 >= window.to { self.close(&[partition]) } else { Ok(()) }
    }

    /// Looks how far the reading is although nothing is delivered. A marker moves the position of the consumer; an aborted
    /// record does not, but it shows in the statistics of what was fetched. Only the position says what can't come any more.
    fn look(&mut self) -> Result<(), KafkaFailure> {
        let mut ended = Vec::new();
        for (partition, position) in positions(self.consumer)? {
            if self.positions.insert(partition, position) != Some(position) {
                self.progressed = Instant::now();
            }
            let is_stale = self.stale.get(&partition) == Some(&position);
            if !is_stale && self.open.get(&partition).is_some_and(|window| position >= window.to) {
                ended.push(partition);
            }
        }
        let fetched = self.consumer.context().fetched.load(Ordering::Acquire);
        if std::mem::replace(&mut self.fetched, fetched) != fetched {
            self.progressed = Instant::now();
        }
        if self.progressed.elapsed() > PATIENCE {
            return Err(failed(KafkaError::Canceled));
        }
        self.close(&ended)
    }

    /// Stops reading partitions, so that records after their windows are not fetched again.
    fn close(&mut self, partitions: &[i32]) -> Result<(), KafkaFailure> {
        if partitions.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            self.open.remove(partition);
            list.add_partition(self.topic, *partition);
        }
        if self.open.is_empty() { Ok(()) } else { self.consumer.pause(&list).map_err(failed) }
    }
}

/// Where a consumer is in each partition from which something was consumed.
fn positions(consumer: &BaseConsumer<Progress>) -> Result<BTreeMap<i32, i64>, KafkaFailure> {
    let list = consumer.position().map_err(failed)?;
    let position = |element: TopicPartitionListElem<'_>| match element.offset() {
        Offset::Offset(offset) => Some((element.partition(), offset)),
        _ => None,
    };
    Ok(list.elements().into_iter().filter_map(position).collect())
}

fn failed(error: KafkaError) -> KafkaFailure {
    KafkaFailure::Call("deliver the tail of the topic", error)
}

/// How far a consumer has fetched. It also keeps the end of a partition, which every tail read reaches, from being logged as an error.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Sum of the offsets that are fetched next.
    fetched: AtomicI64,
}

impl ClientContext for Progress {
    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        self.fetched.store(partitions.map(|partition| partition.next_offset).sum(), Ordering::Release);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tally::count(&error);
        tracing::debug!(%error, reason, "Kafka reports an event");
    }
}

impl ConsumerContext for Progress {}

/// Limits the memory of a tail read: the size of a fetch, and the records fetched in advance.
pub(super) fn bound(config: &mut rdkafka::ClientConfig) {
    config.set("max.partition.fetch.bytes", "262144");
    config.set("fetch.max.bytes", "4194304");
    config.set("queued.min.messages", "1");
    config.set("queued.max.messages.kbytes", "4096");
    // The queue is full as soon as it holds a message.
    config.set("fetch.queue.backoff.ms", "5");
    config.set("statistics.interval.ms", "500");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_a_span_once_from_its_end() {
        for (low, to) in [(0, 1), (0, 8), (0, 9), (5, 7), (17, 1_000), (0, 200_000), (100, 100)] {
            let mut window = Window::last(Span { shard: Shard::new(0), low, to });
            let (mut end, mut count) = (to, 0);
            while let Some(current) = window {
                assert_eq!(current.to, end);
                assert!(current.from < current.to && current.to - current.from <= MAX_WINDOW, "{current:?}");
                (end, count) = (current.from, count + 1);
                window = current.before();
            }
            assert_eq!(end, low, "{low} to {to}");
            assert!(count <= 20, "{low} to {to}: {count}");
        }
    }
}
