//! The topic accepts smaller batches than Kafka's default: the relay splits its batches, and only an event that does not fit
//! alone halts its worker, until an operator raises the limit.

use std::time::Instant;

use cmgate::service::commit;

use super::figures::Figures;
use crate::support::commands::{creation, item, request};
use crate::support::kafka::{make_topic_taking, set_max_message_bytes};
use crate::support::random;
use crate::support::relay::{TestLog, TestRelay};

/// Initial batch limit of the topic: about twenty events.
const SMALL_LIMIT: usize = 20_000;
/// Kafka's default.
const DEFAULT_LIMIT: usize = 1_048_588;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_a_small_limit_gets_small_batches() {
    let mut log = TestLog::postgres().await;
    let (topic, brokers) = (log.kafka.topic.clone(), log.kafka.brokers.clone());
    make_topic_taking(&topic, log.kafka.partitions.get().into(), SMALL_LIMIT).await;
    for _ in 0..5 {
        log.write().await;
    }
    let figures = Figures::new("small_topic_limit", random::seed());
    let relay = TestRelay::start(&log).await;
    let begun = Instant::now();
    relay.wait_until_published().await;
    let report = log.audit().await;
    figures.add_round(report.events, 0, begun.elapsed());
    figures.add_audit(report.events, &report);
    report.assert_clean_and_published();

    let text = "x".repeat(10_000);
    let mut large = request(0);
    large.data_items = (0..3).map(|number| item(&number.to_string(), Some(&text))).collect();
    commit(&*log.store, &[creation(large)]).await.unwrap().remove(0).unwrap();
    let problem = relay.wait_until_one_halted().await;
    let command = format!(
        "`kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config \
         max.message.bytes={DEFAULT_LIMIT}`"
    );
    assert!(problem.contains(&command), "{problem}");
    set_max_message_bytes(&topic, DEFAULT_LIMIT).await;
    relay.wait_until_published().await;
    log.write().await;
    relay.wait_until_published().await;
    relay.stop().await;
    let report = log.audit().await;
    report.assert_clean_and_published();
    assert_eq!(report.records, 601);
}
