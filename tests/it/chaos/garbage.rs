//! The topic ends in thousands of aborted records, and the connection to the broker is slow: the relay still finds the last
//! committed record of each partition.

use std::time::Duration;

use cmgate::domain::{EventType, Position, RequestId, Shard, Timestamp, Trace, Version};
use cmgate::relay::kafka::{Publisher, Record, read_tails};
use cmgate::store::LoggedEvent;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::proxy::Proxy;
use super::throttled::PROXY;
use crate::support::kafka::{end_offsets, make_topic_taking};
use crate::support::relay::TestLog;
use crate::support::servers::kafka;
use crate::support::wait::PATIENCE;

/// Bandwidth to the broker: far too low to transfer the aborted records within one call.
const BYTES_PER_SECOND: u64 = 800_000;

/// Aborted transactions of small records, which take many offsets, and records of each.
const SMALL: (usize, usize) = (20, 10_000);
/// One of large records, which take many bytes.
const LARGE: (usize, usize) = (1, 12);
const LARGE_BYTES: usize = 900_000;

/// Records on the partition that only has a history.
const HISTORY: u64 = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_last_record_is_found_behind_many_aborted_ones() {
    let log = TestLog::postgres().await;
    let topic = log.kafka.topic.clone();
    make_topic_taking(&topic, 4, 1_048_588).await;
    let (settings, made) = (log.kafka.clone(), topic.clone());
    spawn_blocking(move || {
        let mut publisher = Publisher::fence(&settings, 0).unwrap();
        publisher.publish([0, 1].map(|shard| record(shard, 1))).unwrap();
        publisher.publish((1..=HISTORY).map(|position| record(2, position))).unwrap();
        publisher.publish([0, 1].map(|shard| record(shard, 2))).unwrap();
        abort(&made, 0, SMALL, 1);
        abort(&made, 1, LARGE, LARGE_BYTES);
        abort(&made, 3, LARGE, 1);
    })
    .await
    .unwrap();
    let offsets = end_offsets(&topic).await;
    assert!(offsets > 200_000 + HISTORY, "{offsets}");

    let _alone = PROXY.lock().await;
    let proxy = Proxy::before_kafka().await;
    proxy.throttle(Some(BYTES_PER_SECOND));
    let mut settings = log.kafka.clone();
    settings.brokers = proxy.address.to_string();
    let shards: Vec<Shard> = (0..4).map(Shard::new).collect();
    let tails = spawn_blocking(move || read_tails(&settings, &shards)).await.unwrap().unwrap();
    let last: Vec<Option<u64>> = tails.iter().map(|tail| tail.last.map(|record| record.position.get())).collect();
    assert_eq!(last, [Some(2), Some(2), Some(HISTORY), None]);
    let passed = proxy.passed();
    // A window ends with the transaction in which it ends, so the one before reads that one's records again.
    let garbage = (LARGE.1 * LARGE_BYTES) as u64;
    assert!(passed < 3 * garbage, "{passed} bytes were forwarded for {garbage} bytes of aborted records");
}

fn record(shard: u16, position: u64) -> Record {
    let event = LoggedEvent {
        shard: Shard::new(shard),
        position: Position::new(position),
        request: RequestId::new(Uuid::nil()),
        version: Version::FIRST,
        event_type: EventType::Created,
        at: Timestamp::from_micros(0).unwrap(),
        trace: Trace::default(),
        payload: Vec::new().into(),
    };
    Record::new(&event, "/test")
}

/// Aborts so many transactions of so many records.
fn abort(topic: &str, partition: i32, (transactions, records): (usize, usize), bytes: usize) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka()).set("transactional.id", format!("{topic}-garbage-{partition}"));
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let value = vec![b'x'; bytes];
    for _ in 0..transactions {
        producer.begin_transaction().unwrap();
        for _ in 0..records {
            let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(&value);
            while let Err((error, refused)) = producer.send(record) {
                assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
                record = refused;
                producer.poll(Duration::from_millis(10));
            }
        }
        producer.flush(PATIENCE).unwrap();
        producer.abort_transaction(PATIENCE).unwrap();
    }
}
