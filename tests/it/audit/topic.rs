//! Reads the topic with a consumer of the auditor's own: every committed record up to the end that the topic had at the start.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::evidence::TopicRecord;

/// Timeout of one call to the cluster.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for transactions that were open at the start; longer than the transaction timeout.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);

/// A consumer that delivers nothing for this long is replaced, because it can stall forever after its broker restarted. The time
/// doubles with each replacement, because a consumer starts slowly on a busy machine.
const STALL: Duration = Duration::from_secs(5);

/// Number of consecutive stalled consumers after which reading fails.
const CONSUMERS: u32 = 5;

/// Reads a topic.
pub(crate) fn read(brokers: &str, topic: &str) -> anyhow::Result<Vec<TopicRecord>> {
    let (begins, ends) = settled_bounds(brokers, topic)?;
    let mut records = Vec::new();
    // Next offset of each partition that has not been read to its end.
    let mut next: BTreeMap<i32, i64> =
        begins.into_iter().filter(|(partition, begin)| *begin < ends[partition]).collect();
    let mut stalled = 0;
    while !next.is_empty() {
        let before = records.len() + (ends.len() - next.len());
        let consumer = consumer(brokers, "read_committed")?;
        let stall = STALL * 2_u32.pow(stalled);
        read_until_stalled(&consumer, topic, stall, &ends, &mut next, &mut records)?;
        drop_elsewhere(consumer);
        let has_moved = records.len() + (ends.len() - next.len()) > before;
        stalled = if has_moved { 0 } else { stalled + 1 };
        ensure!(stalled < CONSUMERS, "{topic} delivers nothing more at {next:?}, its partitions end at {ends:?}");
    }
    records.sort_by_key(|record: &TopicRecord| (record.partition, record.offset));
    Ok(records)
}

/// The first offset of each partition, and its end, once no transaction is open before it; then all that is committed is
/// delivered before the end of the partition is reported.
fn settled_bounds(brokers: &str, topic: &str) -> anyhow::Result<(BTreeMap<i32, i64>, BTreeMap<i32, i64>)> {
    let all = consumer(brokers, "read_uncommitted")?;
    let committed = consumer(brokers, "read_committed")?;
    let metadata = all.fetch_metadata(Some(topic), CALL_TIMEOUT).context("fetch metadata")?;
    let partitions: Vec<i32> =
        metadata.topics().iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id).collect();
    ensure!(!partitions.is_empty(), "there is no topic {topic}");

    let deadline = Instant::now() + SETTLE_TIMEOUT;
    let (mut begins, mut ends) = (BTreeMap::new(), BTreeMap::new());
    for partition in partitions {
        let (begin, end) = watermarks(&all, topic, partition, deadline).context("fetch the high watermark")?;
        while watermarks(&committed, topic, partition, deadline).context("fetch the stable offset")?.1 < end {
            if Instant::now() > deadline {
                bail!("a transaction stays open in partition {partition} of {topic}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        begins.insert(partition, begin);
        ends.insert(partition, end);
    }
    drop_elsewhere((all, committed));
    Ok((begins, ends))
}

/// First offset and end of a partition; a restarted broker may not lead it yet.
fn watermarks(
    consumer: &BaseConsumer,
    topic: &str,
    partition: i32,
    deadline: Instant,
) -> Result<(i64, i64), KafkaError> {
    loop {
        match consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT) {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
            answer => return answer,
        }
    }
}

/// Reads until every partition has reached its end or the consumer stalls.
fn read_until_stalled(
    consumer: &BaseConsumer,
    topic: &str,
    stall: Duration,
    ends: &BTreeMap<i32, i64>,
    next: &mut BTreeMap<i32, i64>,
    records: &mut Vec<TopicRecord>,
) -> anyhow::Result<()> {
    let mut assignment = TopicPartitionList::new();
    for (partition, offset) in &*next {
        assignment.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    consumer.assign(&assignment)?;
    let mut last_delivery = Instant::now();
    while !next.is_empty() && last_delivery.elapsed() < stall {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                last_delivery = Instant::now();
                let (partition, offset) = (message.partition(), message.offset());
                if offset < ends[&partition] && next.contains_key(&partition) {
                    records.push(record(&message)?);
                    next.insert(partition, offset + 1);
                }
                if offset + 1 >= ends[&partition] {
                    next.remove(&partition);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                last_delivery = Instant::now();
                next.remove(&partition);
            }
            // The broker may come back; the stall timeout bounds the wait.
            Some(Err(_)) | None => {}
        }
    }
    Ok(())
}

fn record(message: &BorrowedMessage<'_>) -> anyhow::Result<TopicRecord> {
    let header = |header: rdkafka::message::Header<'_, &[u8]>| {
        (header.key.to_owned(), header.value.map(<[u8]>::to_vec).unwrap_or_default())
    };
    Ok(TopicRecord {
        partition: message.partition().try_into().context("partition")?,
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec).unwrap_or_default(),
        headers: message.headers().map(|headers| headers.iter().map(header).collect()).unwrap_or_default(),
        value: message.payload().map(<[u8]>::to_vec).unwrap_or_default(),
    })
}

fn consumer(brokers: &str, isolation_level: &str) -> anyhow::Result<BaseConsumer> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config.set("client.id", "cmgate-auditor");
    // librdkafka requires a group id, although the auditor joins no group and commits no offset.
    config.set("group.id", "cmgate-auditor");
    config.set("isolation.level", isolation_level);
    config.set("enable.partition.eof", "true");
    config.set("enable.auto.commit", "false");
    config.set("auto.offset.reset", "error");
    config.set("fetch.wait.max.ms", "10");
    Ok(config.create()?)
}

/// Closing a consumer takes a tenth of a second, so a thread does it.
fn drop_elsewhere<T: Send + 'static>(value: T) {
    thread::spawn(move || drop(value));
}
