//! The relay over a real Kafka: the whole log reaches the topic, and the auditor confirms it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cmgate::domain::{Command, Refusal, Timestamp, Trace};
use cmgate::service::commit;
use cmgate::store::Publishing;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::task::spawn_blocking;

use crate::audit::{TopicRecord, Violation, read_topic};
use crate::support::commands::{creation, item, request};
use crate::support::env::TestEnv;
use crate::support::relay::{TestLog, TestRelay};
use crate::support::servers::{kafka, kafka_with_password};
use crate::support::wait::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_has_the_whole_log_of_postgres() {
    the_topic_has_the_whole_log(TestLog::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_has_the_whole_log_of_sqlite() {
    the_topic_has_the_whole_log(TestLog::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_has_the_whole_log_of_a_fenced_publisher() {
    for env in [TestEnv::postgres().await, TestEnv::sqlite()] {
        the_topic_has_the_whole_log(TestLog::open(env.published(Publishing::Fenced)).await).await;
    }
}

/// Consumers need not know how the log is published. The events are old, the records are not: a broker forgets a producer, and with it
/// the fence, once its last record is old.
#[tokio::test(flavor = "multi_thread")]
async fn both_publishers_write_the_same_records_with_the_time_of_sending() {
    let trace = Trace {
        correlation: Some("ticket-7".parse().unwrap()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        tracestate: Some("vendor=1".to_owned()),
    };
    let now = Timestamp::from_micros(1_577_880_000_000_000).unwrap();
    let creations: Vec<Command> =
        (0..25).map(|_| Command { now, trace: trace.clone(), ..creation(request(1)) }).collect();
    let now_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let yesterday = now_unix.saturating_sub(Duration::from_hours(24));
    let mut topics = Vec::new();
    for publishing in [Publishing::Transactions, Publishing::Fenced] {
        let log = TestLog::open(TestEnv::postgres().await.published(publishing)).await;
        for reply in commit(&*log.store, &creations).await.unwrap() {
            assert_eq!(reply.unwrap().request.changed_at, now);
        }
        let relay = TestRelay::start(&log).await;
        relay.wait_until_published().await;
        relay.stop().await;
        let topic = log.kafka.topic.clone();
        let records = spawn_blocking(move || read_topic(&kafka(), &topic).unwrap()).await.unwrap();
        for record in &records {
            assert!(u128::try_from(record.timestamp).unwrap() > yesterday.as_millis(), "{record:?}");
            for name in ["ce_correlationid", "traceparent", "tracestate"] {
                assert!(record.headers.iter().any(|(found, _)| found == name), "{name}: {record:?}");
            }
        }
        topics.push(records);
    }
    let contents = |records: &Vec<TopicRecord>| -> Vec<_> {
        records.iter().map(|it| (it.partition, it.key.clone(), it.value.clone(), it.headers.clone())).collect()
    };
    assert_eq!(topics[0].len(), 25);
    assert_eq!(contents(&topics[0]), contents(&topics[1]));
}

async fn the_topic_has_the_whole_log(mut log: TestLog) {
    log.write().await;
    let relay = TestRelay::start(&log).await;
    log.write().await;
    relay.wait_until_published().await;
    relay.stop().await;
    let report = log.audit().await;
    report.assert_clean_and_published();
    assert_eq!((report.records, report.acknowledged), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_publishers_log_in_with_a_password() {
    let (brokers, properties) = kafka_with_password();
    for publishing in [Publishing::Transactions, Publishing::Fenced] {
        let mut log = TestLog::open(TestEnv::postgres().await.published(publishing)).await;
        log.kafka.brokers = brokers.clone();
        let property = |(variable, value): (&str, &str)| {
            let name = variable.trim_start_matches("CMGATE__KAFKA__PROPERTIES__").to_lowercase().replace('_', ".");
            (name, value.into())
        };
        log.kafka.properties = properties.into_iter().map(property).collect();
        the_topic_has_the_whole_log(log).await;
    }
}

/// The positions of another database fit once it has written enough events, but the events differ.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_did_not_publish_the_topic_publishes_nothing_to_it() {
    let mut log = TestLog::postgres().await;
    log.write().await;
    let relay = TestRelay::start(&log).await;
    relay.wait_until_published().await;
    relay.stop().await;

    let mut other = TestLog { kafka: log.kafka.clone(), ..TestLog::postgres().await };
    other.write().await;
    other.write().await;
    let relay = TestRelay::start(&other).await;
    relay.wait_until_halted().await;
    relay.stop().await;
    log.audit().await.assert_clean_and_published();
}

/// An event that Kafka refuses would block its shard forever.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_accepted_request_can_be_published() {
    let log = TestLog::postgres().await;
    let text = "x".repeat(15_000);
    let sized = |items: usize| {
        let mut new = request(0);
        new.data_items = (0..items).map(|number| item(&number.to_string(), Some(&text))).collect();
        creation(new)
    };
    let replies = commit(&*log.store, &[sized(56), sized(58), creation(request(0))]).await.unwrap();
    let [largest, too_large, neighbour] = replies.try_into().unwrap();
    assert_eq!((largest.is_ok(), neighbour.is_ok()), (true, true));
    assert!(matches!(too_large, Err(Refusal::TooLarge { .. })), "{too_large:?}");
    // More than one batch of any shard holds.
    for reply in commit(&*log.store, &[(); 16].map(|()| sized(56))).await.unwrap() {
        assert!(reply.is_ok(), "{reply:?}");
    }

    let relay = TestRelay::start(&log).await;
    relay.wait_until_published().await;
    relay.stop().await;
    let report = log.audit().await;
    report.assert_clean_and_published();
    assert_eq!(report.records, 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_relay_continues_where_the_topic_ends() {
    let mut log = TestLog::postgres().await;
    for _ in 0..3 {
        let relay = TestRelay::start(&log).await;
        log.write().await;
        relay.wait_until_published().await;
        relay.stop().await;
    }
    let report = log.audit().await;
    report.assert_clean_and_published();
    assert_eq!(report.records, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_relay_takes_over_where_the_first_one_stopped() {
    let mut log = TestLog::postgres().await;
    let first = TestRelay::start(&log).await;
    log.write().await;
    first.wait_until_published().await;
    let second = TestRelay::start(&log).await;
    log.write().await;
    first.stop().await;
    log.write().await;
    second.wait_until_published().await;
    second.stop().await;
    log.audit().await.assert_clean_and_published();
}

/// Proves that the auditor detects faults on a real topic.
#[tokio::test(flavor = "multi_thread")]
async fn the_auditor_reports_records_that_the_relay_did_not_write() {
    let mut log = TestLog::postgres().await;
    let relay = TestRelay::start(&log).await;
    log.write().await;
    relay.wait_until_published().await;
    relay.stop().await;

    let topic = log.kafka.topic.clone();
    let copied = spawn_blocking({
        let topic = topic.clone();
        move || {
            let copied = read_topic(&kafka(), &topic).unwrap().remove(0);
            publish_in_transaction(&topic, &copied, false);
            copied
        }
    });
    let copied = copied.await.unwrap();
    log.audit().await.assert_clean_and_published();

    let (shard, again) = (copied.partition, copied.clone());
    spawn_blocking(move || publish_in_transaction(&topic, &again, true)).await.unwrap();
    let violations = log.audit().await.violations;
    let is_repeated = |violation: &Violation| matches!(violation, Violation::RecordRepeated { shard: found, position: 1, .. } if *found == shard);
    assert!(violations.len() == 1 && violations.iter().all(is_repeated), "{violations:?}");
}

fn publish_in_transaction(topic: &str, record: &TopicRecord, commits: bool) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka());
    config.set("transactional.id", format!("{topic}-stranger"));
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let mut headers = OwnedHeaders::new();
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let copy = BaseRecord::to(topic)
        .partition(record.partition.into())
        .key(&record.key)
        .payload(&record.value)
        .headers(headers);
    producer.send(copy).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
    if commits {
        producer.commit_transaction(PATIENCE).unwrap();
    } else {
        producer.abort_transaction(PATIENCE).unwrap();
    }
}
