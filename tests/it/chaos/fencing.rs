//! Two relays share their transactional ids without a lock: fencing alone must keep them apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cmgate::store::Publishing;
use fastrand::Rng;

use super::figures::Figures;
use super::unlocked::Unlocked;
use super::{FLEET_ROUNDS, rounds};
use crate::support::env::TestEnv;
use crate::support::random;
use crate::support::relay::{TestLog, TestRelay, publishing};
use crate::support::wait::wait_until;

/// Minimum number of batches written while both relays run.
const BATCHES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_without_locks_publish_every_position_once_and_in_order() {
    without_locks("fencing_alone", publishing(), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_fenced_relays_without_locks_publish_every_position_once_and_in_order() {
    without_locks("fencing_alone_fenced", Publishing::Fenced, 2).await;
}

async fn without_locks(name: &'static str, publishing: Publishing, otherwise: u32) {
    let seed = random::seed();
    let figures = Figures::new(name, seed);
    let rounds: Vec<u32> = (0..rounds(otherwise)).collect();
    for some in rounds.chunks(FLEET_ROUNDS) {
        let mut log = TestLog::open(TestEnv::postgres().await.published(publishing)).await;
        let mut events = 0;
        for round in some {
            let mut rng = random::rng(seed, u64::from(*round));
            let acknowledged = log.acknowledged.len();
            let mended = fight(&mut log, &mut rng).await;
            figures.add_round(log.acknowledged.len() - acknowledged, 0, mended.elapsed());
            let report = log.audit().await;
            figures.add_audit(report.events - events, &report);
            events = report.events;
            report.assert_clean_and_published();
        }
    }
}

/// Returns the time at which one relay was left alone; it then publishes everything.
async fn fight(log: &mut TestLog, rng: &mut Rng) -> Instant {
    let one = TestRelay::start_on(Arc::new(Unlocked(log.env.database.open().await)), log).await;
    let other = TestRelay::start_on(Arc::new(Unlocked(log.env.database.open().await)), log).await;
    let (mut one_was_fenced, mut other_was_fenced, mut batches) = (false, false, 0);
    wait_until("each relay was fenced by the other one", async || {
        log.write().await;
        batches += 1;
        let until = Instant::now() + random::up_to(rng, Duration::from_millis(300));
        while Instant::now() < until {
            // On a healthy cluster, the other relay is the only possible problem.
            one_was_fenced |= one.has_problem();
            other_was_fenced |= other.has_problem();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        one_was_fenced && other_was_fenced && batches >= BATCHES
    })
    .await;
    let (leaves, stays) = if rng.bool() { (one, other) } else { (other, one) };
    leaves.stop().await;
    let mended = Instant::now();
    stays.wait_until_published().await;
    stays.stop().await;
    mended
}
