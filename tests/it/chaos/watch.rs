//! A consumer that follows the topic as a user's would and checks that each record has the next position. It also knows how far
//! the topic is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::support::servers::kafka;

/// A consumer that receives nothing for this long is replaced, because it can stall after its broker restarted.
const STALL: Duration = Duration::from_secs(1);
/// Upper bound of that time, which doubles with each replacement because a consumer starts slowly on a busy machine.
const LONGEST_STALL: Duration = Duration::from_secs(32);

/// The consumer, which runs until this value is dropped.
pub(super) struct Watch {
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The last position of each partition.
    positions: Vec<AtomicU64>,
    /// The first record that did not follow the one before it.
    fault: Mutex<Option<String>>,
    ended: AtomicBool,
}

impl Watch {
    /// Watches a topic with this number of partitions.
    pub(super) fn start(topic: &str, partitions: u16) -> Self {
        let positions = (0..partitions).map(|_| AtomicU64::new(0)).collect();
        let seen = Arc::new(Seen { positions, ..Seen::default() });
        let (topic, sink) = (topic.to_owned(), Arc::clone(&seen));
        thread::spawn(move || read(&topic, &sink));
        Self { seen }
    }

    /// Whether every partition has reached its position.
    pub(super) fn reaches(&self, positions: &[u64]) -> bool {
        let reached = self.seen.positions.iter().zip(positions);
        reached.into_iter().all(|(seen, wanted)| seen.load(Ordering::Acquire) >= *wanted)
    }

    /// Fails if a record did not follow the one before it.
    pub(super) fn assert_in_order(&self) {
        let fault = self.seen.fault.lock().unwrap();
        assert!(fault.is_none(), "a consumer received {}", fault.as_deref().unwrap_or_default());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.seen.ended.store(true, Ordering::Release);
    }
}

fn read(topic: &str, seen: &Seen) {
    let mut next = vec![Offset::Beginning; seen.positions.len()];
    let mut stall = STALL;
    while !seen.ended.load(Ordering::Acquire) {
        let consumer = consumer();
        let mut assignment = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(&next) {
            assignment.add_partition_offset(topic, partition, *offset).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut last_delivery = Instant::now();
        stall = (stall * 2).min(LONGEST_STALL);
        while last_delivery.elapsed() < stall && !seen.ended.load(Ordering::Acquire) {
            // Errors mean that the broker is unreachable.
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                last_delivery = Instant::now();
                stall = STALL;
                let partition = usize::try_from(message.partition()).unwrap();
                next[partition] = Offset::Offset(message.offset() + 1);
                seen.note(partition, &message);
            }
        }
        thread::spawn(move || drop(consumer));
    }
}

impl Seen {
    fn note(&self, partition: usize, message: &BorrowedMessage<'_>) {
        let last = self.positions[partition].load(Ordering::Acquire);
        let position = position(message);
        if position != Some(last + 1) {
            let place = format!("partition {partition}, offset {}", message.offset());
            let fault = format!("position {position:?} after {last} ({place})");
            self.fault.lock().unwrap().get_or_insert(fault);
        }
        self.positions[partition].store(position.unwrap_or(last), Ordering::Release);
    }
}

fn position(message: &BorrowedMessage<'_>) -> Option<u64> {
    let header = message.headers()?.iter().find(|header| header.key == "x-pos")?;
    std::str::from_utf8(header.value?).ok()?.parse().ok()
}

fn consumer() -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka());
    config.set("group.id", "cmgate-watch");
    config.set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false");
    config.set("auto.offset.reset", "earliest");
    config.set("fetch.wait.max.ms", "10");
    config.set("reconnect.backoff.max.ms", "200");
    config.create().unwrap()
}
