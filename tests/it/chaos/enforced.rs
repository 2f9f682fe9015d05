//! A broker that accepts the batches of a fenced producer, as some that speak Kafka's protocol do.

use cmgate::store::Publishing;

use super::proxy::{Api, FaultAction, Proxy, ProxyEvent};
use crate::support::env::TestEnv;
use crate::support::relay::{TestLog, TestRelay};
use crate::support::servers::Exclusive;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_to_a_broker_that_does_not_refuse_fenced_producers() {
    let servers = Exclusive::take();
    let env = TestEnv::postgres_within(&servers).await.published(Publishing::Fenced);
    let mut log = TestLog::open(env).await;
    let direct = log.kafka.brokers.clone();
    let proxy = Proxy::before_kafka().await;
    log.kafka.brokers = proxy.address.to_string();
    drop(proxy.set(ProxyEvent::Answered(Api::Produce), FaultAction::ReportAccepted));
    log.write().await;
    let relay = TestRelay::start(&log).await;
    relay.wait_until_halted().await;
    let reason = relay.wait_until_one_halted().await;
    assert!(reason.contains("accepted") && reason.contains("Set `kafka.publish` to \"transactions\""), "{reason}");
    relay.stop().await;
    assert_eq!(log.store.publishing().await.unwrap(), None);
    let report = log.audit().await;
    assert_eq!(report.records, 0, "{report}");

    // The mode is not bound yet, so the other one can be chosen.
    drop(proxy);
    log.kafka.brokers = direct;
    log.kafka.publishing = Publishing::Transactions;
    let relay = TestRelay::start(&log).await;
    relay.wait_until_published().await;
    relay.stop().await;
    log.audit().await.assert_clean_and_published();
}
