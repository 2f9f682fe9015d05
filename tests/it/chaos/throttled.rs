//! The connection to the broker is slow from the start, or becomes slow while events wait: transactions shrink until they commit
//! in time. A unit test beside the limit proves that few transactions fail, without a clock; on a busy machine any number can
//! fail here.

use std::time::{Duration, Instant};

use super::figures::Figures;
use super::proxy::Proxy;
use tokio::sync::Mutex;

use crate::support::random;
use crate::support::relay::{TestLog, TestRelay};

/// Bandwidth to the broker. The whole backlog in one transaction would far exceed the transaction timeout.
const BYTES_PER_SECOND: u64 = 200_000;
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Hundreds of events, of a thousand bytes or so each, that wait.
const BACKLOG: usize = 15;

/// Held by tests that put a proxy before Kafka and share the servers: the broker advertises only one address for it.
pub(super) static PROXY: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn transactions_shrink_until_a_slow_broker_commits_them_in_time() {
    let mut log = TestLog::postgres().await;
    let _alone = PROXY.lock().await;
    let proxy = Proxy::before_kafka().await;
    log.kafka.brokers = proxy.address.to_string();
    log.kafka.transaction_timeout = TRANSACTION_TIMEOUT;
    let figures = Figures::new("throttled_broker", random::seed());
    let relay = TestRelay::start(&log).await;

    // Slow from the beginning, then slow after large transactions were fast.
    let mut events = 0;
    for begins_fast in [false, true] {
        proxy.throttle(None);
        if begins_fast {
            backlog(&mut log, &proxy).await;
            proxy.refuse(false);
            relay.wait_until_published().await;
        }
        backlog(&mut log, &proxy).await;
        proxy.throttle(Some(BYTES_PER_SECOND));
        proxy.refuse(false);
        let begun = Instant::now();
        relay.wait_until_published().await;
        let report = log.audit().await;
        figures.add_round(report.events - events, 0, begun.elapsed());
        figures.add_audit(report.events - events, &report);
        events = report.events;
        report.assert_clean_and_published();
    }
    proxy.throttle(None);
    relay.stop().await;
}

/// Writes a backlog while the broker is unreachable.
async fn backlog(log: &mut TestLog, proxy: &Proxy) {
    proxy.refuse(true);
    for _ in 0..BACKLOG {
        log.write().await;
    }
}
