//! The path to the broker is slow, or becomes slow while a backlog waits: transactions become small enough to end in time.
//!
//! That few of them fail is proved beside the limit itself, without a clock: a busy machine can fail any number of them here.

use std::time::{Duration, Instant};

use super::figures::Figures;
use super::proxy::Proxy;
use tokio::sync::Mutex;

use crate::audit::Report;
use crate::dice::Dice;
use crate::relay::{Running, Stage};
use crate::services::kafka;
use crate::store::Place;

/// What the path takes. The whole backlog in one transaction would take far longer than the transaction may last.
const BYTES_PER_SECOND: u64 = 200_000;
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Hundreds of events, of a thousand bytes or so each, that wait.
const BACKLOG: usize = 15;

/// Taken by those who put a proxy before Kafka and share the servers: the broker tells its clients to come to one address.
pub(super) static PROXY: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_path_gets_transactions_that_end_in_time() {
    let place = Place::postgres().await;
    let mut stage = Stage::new(&place).await;
    let _alone = PROXY.lock().await;
    let proxy = Proxy::before_kafka().await;
    stage.kafka.brokers = proxy.address.to_string();
    stage.kafka.transaction_timeout = TRANSACTION_TIMEOUT;
    let figures = Figures::new("throttled_broker", Dice::seed());
    let relay = Running::start(&stage).await;

    // Slow from the beginning, then slow after large transactions were fast.
    let mut events = 0;
    for begins_fast in [false, true] {
        proxy.throttle(None);
        if begins_fast {
            backlog(&mut stage, &proxy).await;
            proxy.refuse(false);
            relay.wait_until_published().await;
        }
        backlog(&mut stage, &proxy).await;
        proxy.throttle(Some(BYTES_PER_SECOND));
        proxy.refuse(false);
        let begun = Instant::now();
        relay.wait_until_published().await;
        let report = audit(&stage, &place).await;
        figures.add_round(report.events - events, 0, begun.elapsed());
        figures.add_audit(report.events - events, &report);
        events = report.events;
        report.assert_clean_and_published();
    }
    proxy.throttle(None);
    relay.stop().await;
}

/// Writes what has to wait, since the broker is away.
async fn backlog(stage: &mut Stage, proxy: &Proxy) {
    proxy.refuse(true);
    for _ in 0..BACKLOG {
        stage.write().await;
    }
}

/// Audits past the proxy.
async fn audit(stage: &Stage, place: &Place) -> Report {
    crate::audit::audit(&place.url(), &kafka(), &stage.kafka.topic, stage.acknowledged.clone()).await.unwrap()
}
