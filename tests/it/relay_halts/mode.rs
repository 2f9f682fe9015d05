//! A database publishes in one mode for its life: writers of different modes would not keep each other from the topic.

use std::sync::Arc;

use cmgate::relay::kafka::KafkaSettings;
use cmgate::store::Publishing;

use crate::support::env::TestEnv;
use crate::support::relay::{TestLog, TestRelay};

const MODES: [Publishing; 2] = [Publishing::Transactions, Publishing::Fenced];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_in_another_mode_than_the_database_halts_and_publishes_nothing() {
    for (mode, other) in MODES.into_iter().zip(MODES.into_iter().rev()) {
        let mut log = TestLog::postgres().await;
        log.kafka.publishing = mode;
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
