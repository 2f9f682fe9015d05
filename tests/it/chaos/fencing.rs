//! Two relays with the same transactional ids that no lock keeps apart: Kafka's fencing alone has to hold.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::figures::Figures;
use super::unlocked::Unlocked;
use super::{STAGE_ROUNDS, rounds};
use crate::client::wait_until;
use crate::dice::Dice;
use crate::relay::{Running, Stage};
use crate::store::Place;

/// Batches of events that are written at least while the two fight.
const BATCHES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_without_locks_publish_every_position_once_and_in_order() {
    let seed = Dice::seed();
    let figures = Figures::new("fencing_alone", seed);
    let rounds: Vec<u32> = (0..rounds(4)).collect();
    for some in rounds.chunks(STAGE_ROUNDS) {
        let place = Place::postgres().await;
        let mut stage = Stage::new(&place).await;
        let mut events = 0;
        for round in some {
            let mut dice = Dice::new(seed).fork(u64::from(*round));
            let acknowledged = stage.acknowledged.len();
            let mended = fight(&place, &mut stage, &mut dice).await;
            figures.add_round(stage.acknowledged.len() - acknowledged, 0, mended.elapsed());
            let report = stage.audit(&place).await;
            figures.add_audit(report.events - events, &report);
            events = report.events;
            report.assert_clean_and_published();
        }
    }
}

/// Gives the moment when one of them was left alone, after which it has published everything.
async fn fight(place: &Place, stage: &mut Stage, dice: &mut Dice) -> Instant {
    let one = Running::start_on(Arc::new(Unlocked(place.open().await)), stage).await;
    let other = Running::start_on(Arc::new(Unlocked(place.open().await)), stage).await;
    let (mut one_was_fenced, mut other_was_fenced, mut batches) = (false, false, 0);
    wait_until("each relay was fenced by the other one", async || {
        stage.write().await;
        batches += 1;
        let until = Instant::now() + dice.up_to(Duration::from_millis(300));
        while Instant::now() < until {
            // On a sound cluster it has no other problem than the other relay.
            one_was_fenced |= one.has_problem();
            other_was_fenced |= other.has_problem();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        one_was_fenced && other_was_fenced && batches >= BATCHES
    })
    .await;
    let (leaves, stays) = if dice.coin() { (one, other) } else { (other, one) };
    leaves.stop().await;
    let mended = Instant::now();
    stays.wait_until_published().await;
    stays.stop().await;
    mended
}
