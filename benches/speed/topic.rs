//! Topics: the relay's progress, and a consumer that records receipt times.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cmgate::domain::{Position, ShardCount};
use cmgate::relay::kafka::{KafkaSettings, Publisher, Record, describe_or_create_topic, read_tails};
use cmgate::store::Publishing;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};

use crate::core::TOPOLOGY;
use crate::env::{self, BenchEnv};

/// Transactions after which the JVM of the broker has compiled its code.
const WARM_UP: usize = 2_000;

/// Runs transactions, so that measurements use a warm broker.
pub(crate) async fn warm_up() {
    let kafka = settings("warm.up");
    describe_or_create_topic(&kafka).await.unwrap();
    let publishing = tokio::task::spawn_blocking(move || {
        let mut publisher = Publisher::fence(&kafka, 0).unwrap();
        let record =
            |partition| Record { partition, key: String::new(), value: vec![0; 500], headers: OwnedHeaders::new() };
        for _ in 0..WARM_UP {
            publisher.publish((0..TOPOLOGY.0).map(|shard| record(shard.into()))).unwrap();
        }
    });
    publishing.await.unwrap();
}

/// Settings of a topic.
pub(crate) fn settings(topic: &str) -> KafkaSettings {
    KafkaSettings {
        brokers: env::kafka(),
        topic: topic.to_owned(),
        partitions: ShardCount::new(TOPOLOGY.0).unwrap(),
        replication_factor: 1,
        source: "/cmgate".to_owned(),
        publishing: Publishing::Transactions,
        transaction_timeout: Duration::from_secs(10),
        is_volatile: false,
        properties: BTreeMap::new(),
    }
}

/// Number of events on a topic, computed from the positions of its last records.
pub(crate) fn published(settings: &KafkaSettings) -> u64 {
    let shards: Vec<_> = settings.partitions.shards().collect();
    let Ok(tails) = read_tails(settings, &shards) else { return 0 };
    tails.iter().filter_map(|tail| tail.last.as_ref()).map(|last| Position::get(last.position)).sum()
}

/// Waits until the relay has published the whole log.
pub(crate) async fn settle(env: &BenchEnv) {
    let pool = sqlx::PgPool::connect(&env.database).await.unwrap();
    let logged: i64 =
        sqlx::query_scalar("SELECT sum(next - 1)::bigint FROM event_head").fetch_one(&pool).await.unwrap();
    pool.close().await;
    let kafka = settings(&env.topic);
    let published = tokio::task::spawn_blocking(move || {
        while published(&kafka) < logged.unsigned_abs() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    published.await.unwrap();
}

/// A consumer of committed records that records when each arrived.
pub(crate) struct Receipts {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<HashMap<String, Instant>>,
}

impl Receipts {
    /// Starts at the end of a topic.
    pub(crate) fn of(topic: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", env::kafka())
            .set("group.id", "measure")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        for partition in 0..TOPOLOGY.0 {
            let partition = i32::from(partition);
            let (_, end) = consumer.fetch_watermarks(topic, partition, Duration::from_secs(10)).unwrap();
            partitions.add_partition_offset(topic, partition, Offset::Offset(end)).unwrap();
        }
        consumer.assign(&partitions).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut receipts = HashMap::new();
            while !stopped.load(Ordering::Relaxed) {
                if let Some(record) = consumer.poll(Duration::from_millis(50)) {
                    let record = record.unwrap();
                    let request = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
                    receipts.insert(request, Instant::now());
                }
            }
            receipts
        });
        Self { stop, thread }
    }

    /// Stops the consumer; returns the time of receipt by request id.
    pub(crate) fn end(self) -> HashMap<String, Instant> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
