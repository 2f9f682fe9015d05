//! The instance that publishes is stopped for longer than its locks last, and wakes up in the belief that it still owns them.

use std::time::{Duration, Instant};

use super::stage::{INSTANCES, Wiring};
use super::{Kind, ROUNDS, play};

/// How long an owner is stopped.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// Until the others own its lanes.
    UntilReplaced,
    /// Longer than every limit that there is in the service, on its commits and on its questions to a database.
    BeyondEveryLimit,
}

/// Longer than the writer waits for a commit, which is the longest wait.
const BEYOND_EVERY_LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_owner_publishes_nothing_once_it_was_replaced() {
    let kind = Kind {
        name: "owner_stopped",
        wiring: Wiring::Direct,
        stages: Some(3),
        variants: &[Stop::UntilReplaced],
        rare: Stop::BeyondEveryLimit,
        rounds: ROUNDS,
    };
    play(kind, async |stage, stop| {
        let owner = stage.owner().await;
        let others: Vec<usize> = (0..INSTANCES).filter(|instance| *instance != owner).collect();
        stage.instances[owner].signal("STOP");
        let stopped = Instant::now();
        stage.wait_for_owner(&others).await;
        stage.note_takeover(stopped.elapsed());
        stage.progress().await;
        if let Stop::BeyondEveryLimit = stop {
            tokio::time::sleep_until((stopped + BEYOND_EVERY_LIMIT).into()).await;
        }
        stage.instances[owner].signal("CONT");
        Instant::now()
    })
    .await;
}
