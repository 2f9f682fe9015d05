//! A topic of the broker: what administrators, retention and foreign producers do to it, and what is committed on it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use super::servers::kafka;
use super::wait::{PATIENCE, wait_until};
use crate::audit::{TopicRecord, read_topic};

/// Partitions of a topic that the service creates.
const PARTITIONS: i32 = 8;

/// Deletes a topic, and waits until it is gone.
pub(crate) async fn delete_topic(topic: &str) {
    let admin = admin();
    admin.delete_topics(&[topic], &options()).await.unwrap().remove(0).unwrap();
    wait_until("the topic is gone", async || partitions(topic).await == 0).await;
}

/// Creates a topic.
pub(crate) async fn make_topic(topic: &str, partitions_wanted: i32) {
    make_topic_with(topic, partitions_wanted, &[]).await;
}

/// Creates a topic with a limit on the size of batches.
pub(crate) async fn make_topic_taking(topic: &str, partitions_wanted: i32, max_message_bytes: usize) {
    make_topic_with(topic, partitions_wanted, &[("max.message.bytes", &max_message_bytes.to_string())]).await;
}

/// Changes the batch limit of a topic.
pub(crate) async fn set_max_message_bytes(topic: &str, max_message_bytes: usize) {
    let value = max_message_bytes.to_string();
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("max.message.bytes", &value);
    admin().alter_configs(&[change], &options()).await.unwrap().remove(0).unwrap();
}

/// The sum of the end offsets of all partitions: records, those of aborted transactions included, and markers.
pub(crate) async fn end_offsets(topic: &str) -> u64 {
    let topic = topic.to_owned();
    let ends = spawn_blocking(move || {
        let client = admin();
        let client = client.inner();
        let metadata = client.fetch_metadata(Some(&topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions().iter();
        partitions.map(|partition| client.fetch_watermarks(&topic, partition.id(), PATIENCE).unwrap().1).sum::<i64>()
    });
    ends.await.unwrap().cast_unsigned()
}

/// The positions in each partition, in the order of their offsets; records without a position are omitted.
pub(crate) fn positions(records: &[TopicRecord]) -> BTreeMap<u16, Vec<u64>> {
    let mut positions: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for record in records {
        let header = record.headers.iter().find(|(name, _)| name == "x-pos");
        if let Some((_, value)) = header {
            let position = std::str::from_utf8(value).unwrap().parse().unwrap();
            positions.entry(record.partition).or_default().push(position);
        }
    }
    positions
}

async fn make_topic_with(topic: &str, partitions_wanted: i32, settings: &[(&str, &str)]) {
    wait_until("the topic is created", async || {
        let mut new = NewTopic::new(topic, partitions_wanted, TopicReplication::Fixed(1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        match admin().create_topics(&[new], &options()).await.unwrap().remove(0) {
            Ok(_) => true,
            // A topic of that name is still being deleted.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => false,
            Err((_, code)) => panic!("{topic} cannot be created: {code}"),
        }
    })
    .await;
    let all = usize::try_from(partitions_wanted).unwrap();
    wait_until("the topic has all its partitions", async || partitions(topic).await == all).await;
}

/// Deletes every record, as retention does.
pub(crate) async fn empty_topic(topic: &str) {
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(topic, partition, Offset::End).unwrap();
    }
    for element in admin().delete_records(&all, &options()).await.unwrap().elements() {
        element.error().unwrap();
    }
}

/// Publishes a record that no relay wrote.
pub(crate) async fn publish_foreign(topic: &str, partition: i32) {
    let topic = topic.to_owned();
    let publish = spawn_blocking(move || {
        let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", kafka()).create().unwrap();
        let record = BaseRecord::<str, str>::to(&topic).partition(partition).key("stranger").payload("greetings");
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    });
    publish.await.unwrap();
}

/// Publishes copies of records, as a mirror does.
pub(crate) async fn copy_records(records: &[TopicRecord], topic: &str) {
    let (records, topic) = (records.to_vec(), topic.to_owned());
    let copy = spawn_blocking(move || {
        let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", kafka()).create().unwrap();
        for record in &records {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let copy = BaseRecord::to(&topic)
                .partition(record.partition.into())
                .key(&record.key)
                .payload(&record.value)
                .headers(headers);
            producer.send(copy).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    });
    copy.await.unwrap();
}

/// Every committed record of a topic.
pub(crate) async fn read_committed(topic: &str) -> Vec<TopicRecord> {
    let topic = topic.to_owned();
    spawn_blocking(move || read_topic(&kafka(), &topic).unwrap()).await.unwrap()
}

/// Whether there is such a topic.
pub(crate) async fn exists(topic: &str) -> bool {
    partitions(topic).await > 0
}

/// Number of partitions; 0 if there is no such topic.
pub(crate) async fn partitions(topic: &str) -> usize {
    let topic = topic.to_owned();
    let count = spawn_blocking(move || {
        let metadata = admin().inner().fetch_metadata(Some(&topic), PATIENCE).unwrap();
        metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len())
    });
    count.await.unwrap()
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", kafka()).create().unwrap()
}

fn options() -> AdminOptions {
    let limit = Some(Duration::from_secs(30));
    AdminOptions::new().request_timeout(limit).operation_timeout(limit)
}
