//! The cluster under test, topics, records that carry a position, and an independent reader.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cmgate_fence::{Cluster, ClusterSettings, Lane, Record, StoredRecord};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Longest wait of a test for something that happens soon.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Held by tests that need the broker; alone by those that kill it.
static SERVERS: RwLock<()> = RwLock::const_new(());

/// The broker while no test kills it.
pub(crate) struct Broker {
    pub(crate) address: String,
    _shared: RwLockReadGuard<'static, ()>,
}

/// The broker, or `None` and a line about it.
pub(crate) async fn broker() -> Option<Broker> {
    Some(Broker { address: setting("CMGATE_TEST_KAFKA")?, _shared: SERVERS.read().await })
}

/// Keeps every other test from the servers.
pub(crate) async fn exclusive() -> RwLockWriteGuard<'static, ()> {
    SERVERS.write().await
}

pub(crate) fn setting(name: &str) -> Option<String> {
    let found = std::env::var(name).ok();
    if found.is_none() {
        eprintln!("SKIPPED, nothing was tested: {name} is not set; run this with tests/with-services");
    }
    found
}

pub(crate) fn settings(address: &str) -> ClusterSettings {
    ClusterSettings::new(vec![address.parse().unwrap()])
}

pub(crate) fn cluster(address: &str) -> Cluster {
    Cluster::new(settings(address)).unwrap()
}

/// A new topic, and a lane over its partitions.
pub(crate) async fn lane(address: &str, name: &str, partitions: i32, config: &[(&str, &str)]) -> Lane {
    let topic = format!("{name}-{:08x}", fastrand::u32(..));
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    let mut wanted = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in config {
        wanted = wanted.set(name, value);
    }
    let made = admin.create_topics(&[wanted], &AdminOptions::new()).await.unwrap();
    made[0].as_ref().unwrap();
    // The leaders of a new topic need a moment.
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    for partition in 0..partitions {
        let begun = Instant::now();
        while consumer.fetch_watermarks(&topic, partition, PATIENCE).is_err() {
            assert!(begun.elapsed() < PATIENCE, "partition {partition} gets no leader");
        }
    }
    Lane::new(topic.clone(), (0..partitions).collect(), topic)
}

/// The record at a position.
pub(crate) fn record(position: u64) -> Record {
    Record {
        key: Some(Bytes::copy_from_slice(&position.to_be_bytes())),
        value: Some(vec![b'.'; 200].into()),
        headers: vec![("x-pos".into(), Some(position.to_string().into()))],
    }
}

pub(crate) fn position(record: &StoredRecord) -> Option<u64> {
    let (_, value) = record.headers.iter().find(|(name, _)| name == "x-pos")?;
    std::str::from_utf8(value.as_ref()?).ok()?.parse().ok()
}

/// Positions of a partition in the order of its log, as a `read_committed` consumer of librdkafka gets them.
pub(crate) fn read(address: &str, topic: &str, partition: i32) -> Vec<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "audit")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut positions = Vec::new();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the reader comes to no end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                let key = u64::from_be_bytes(record.key().unwrap().try_into().unwrap());
                let header = record.headers().unwrap().get(0);
                assert_eq!(header.value, Some(key.to_string().as_bytes()), "key and header belong together");
                positions.push(key);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return positions,
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
}

pub(crate) fn read_all(address: &str, lane: &Lane) -> BTreeMap<i32, Vec<u64>> {
    lane.partitions.iter().map(|partition| (*partition, read(address, &lane.topic, *partition))).collect()
}

/// Waits until so many records of each partition are acknowledged.
pub(crate) async fn acknowledged(session: &mut cmgate_fence::Session, expected: usize) -> BTreeMap<i32, usize> {
    let mut counts = BTreeMap::new();
    while counts.values().sum::<usize>() < expected {
        for it in session.acknowledged().await.unwrap() {
            *counts.entry(it.partition).or_default() += it.records;
        }
    }
    counts
}
