//! The publishing instance is suspended for longer than its locks last. When it resumes, it still acts as their owner.

use std::time::{Duration, Instant};

use super::fleet::{INSTANCES, Wiring};
use super::{Kind, ROUNDS, play};

/// How long an owner is stopped.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// Until the others own its partition groups.
    UntilReplaced,
    /// Longer than every timeout of the service, on commits and on queries.
    BeyondEveryLimit,
}

/// Longer than the writer waits for a commit, which is the longest wait.
const BEYOND_EVERY_LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_owner_publishes_nothing_after_it_was_replaced() {
    let kind = Kind {
        name: "owner_stopped",
        wiring: Wiring::Direct,
        fleets: Some(3),
        variants: &[Stop::UntilReplaced],
        rare: Stop::BeyondEveryLimit,
        rounds: ROUNDS,
    };
    play(kind, async |fleet, stop| {
        let owner = fleet.owner().await;
        let others: Vec<usize> = (0..INSTANCES).filter(|instance| *instance != owner).collect();
        fleet.instances[owner].signal("STOP");
        let stopped = Instant::now();
        fleet.wait_for_owner(&others).await;
        fleet.note_takeover(stopped.elapsed());
        fleet.progress().await;
        if let Stop::BeyondEveryLimit = stop {
            tokio::time::sleep_until((stopped + BEYOND_EVERY_LIMIT).into()).await;
        }
        fleet.instances[owner].signal("CONT");
        Instant::now()
    })
    .await;
}
