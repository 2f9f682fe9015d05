//! A database publishes in one mode for its life: writers of different modes would not keep each other from the topic.

use std::sync::Arc;

use cmgate::domain::Shard;
use cmgate::relay::kafka::{FencedClaim, KafkaFailure, KafkaSettings, describe_or_create_topic};
use cmgate::store::{Publishing, TopicIdentity};
use cmgate_fence::Previous;
use uuid::Uuid;

use crate::support::env::TestEnv;
use crate::support::kafka::end_offsets;
use crate::support::relay::{TestLog, TestRelay};

const MODES: [Publishing; 2] = [Publishing::Transactions, Publishing::Fenced];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_in_another_mode_than_the_database_halts_and_publishes_nothing() {
    for (mode, other) in MODES.into_iter().zip(MODES.into_iter().rev()) {
        let mut log = TestLog::open(TestEnv::postgres().await.published(mode)).await;
        log.write().await;
        let relay = TestRelay::start(&log).await;
        relay.wait_until_published().await;
        relay.stop().await;
        log.write().await;

        let kafka = KafkaSettings { publishing: other, ..log.kafka.clone() };
        let stranger = TestLog { kafka, env: log.env.clone(), store: Arc::clone(&log.store), acknowledged: Vec::new() };
        let relay = TestRelay::start(&stranger).await;
        let reason = relay.wait_until_one_halted().await;
        assert!(reason.contains(&format!("Set `kafka.publish` to \"{}\"", mode.name())), "{reason}");
        relay.stop().await;
        assert_eq!(log.audit().await.records, 100);

        let relay = TestRelay::start(&log).await;
        relay.wait_until_published().await;
        relay.stop().await;
        log.audit().await.assert_clean_and_published();
    }
}

/// Kafka replaces the producer id of a group that was away for a week. The fence under the new id does not stop the last session, which
/// had the old one.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_while_the_last_session_could_publish_under_another_producer_id() {
    let mut log = TestLog::open(TestEnv::postgres().await.published(Publishing::Fenced)).await;
    log.write().await;
    let relay = TestRelay::start(&log).await;
    relay.wait_until_published().await;
    relay.stop().await;
    let database = log.env.database.clone();
    assert_eq!(database.count("relay_producer").await, 2, "the id of each group is stored");
    database.execute("UPDATE relay_producer SET producer_id = producer_id + 1000000").await;

    log.write().await;
    let relay = TestRelay::start(&log).await;
    relay.wait_until_all_have_the_problem("Kafka replaced producer id 1").await;
    assert_eq!(log.audit().await.records, 100);

    database.execute("UPDATE relay_producer SET producer_id = producer_id - 1000000").await;
    relay.wait_until_published().await;
    relay.stop().await;
    log.audit().await.assert_clean_and_published();
}

/// The topic can be replaced between the checks and the fence.
#[tokio::test(flavor = "multi_thread")]
async fn another_topic_of_the_same_name_is_not_fenced() {
    let log = TestLog::open(TestEnv::postgres().await.published(Publishing::Fenced)).await;
    let topic = describe_or_create_topic(&log.kafka).await.unwrap().identity;
    assert!(topic.topic_id.is_some());
    let other = TopicIdentity { topic_id: Some(Uuid::new_v4()), ..topic.clone() };
    let before = end_offsets(&log.kafka.topic).await;
    let claim = async || FencedClaim::take(&log.kafka, 0, &[Shard::new(0)], Previous::None).await.unwrap();
    let failure = claim().await.fence(Some(&other)).await.err().unwrap();
    assert!(matches!(failure, KafkaFailure::TopicReplaced(_)), "{failure}");
    assert_eq!(end_offsets(&log.kafka.topic).await, before, "it has no marker");
    claim().await.fence(Some(&topic)).await.unwrap();
    assert_eq!(end_offsets(&log.kafka.topic).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_does_not_start_in_another_mode_than_the_database() {
    let env = TestEnv::postgres().await;
    env.start_with(&[("CMGATE__KAFKA__PUBLISH", "fenced")]).wait_until_all_are("streaming").await;
    let refused = env.run(&[("CMGATE__KAFKA__PUBLISH", "transactions")], &["serve"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("Set `kafka.publish` to \"fenced\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_that_the_fenced_publisher_does_not_support_is_refused_by_its_name() {
    let env = TestEnv::sqlite();
    let settings = [("CMGATE__KAFKA__PUBLISH", "fenced"), ("CMGATE__KAFKA__PROPERTIES__LINGER_MS", "5")];
    let refused = env.run(&settings, &["serve"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("\"linger.ms\" is not supported"), "{said}");
}
