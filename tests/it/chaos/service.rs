//! The service is killed, at any moment, one instance or several.

use std::time::Instant;

use super::stage::{INSTANCES, Stage, Wiring};
use super::{Kind, ROUNDS, play};

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victims {
    /// Any instance.
    Any,
    /// The instance that publishes most.
    Owner,
    /// An instance, and the one that comes in its place as soon as it listens.
    Twice,
    /// All but one.
    AllButOne,
    /// All.
    All,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_services_are_killed() {
    let variants = &[Victims::Any, Victims::Owner, Victims::Twice, Victims::Owner, Victims::AllButOne];
    let kind = Kind {
        name: "service_killed",
        wiring: Wiring::Direct,
        stages: Some(1),
        variants,
        rare: Victims::All,
        rounds: ROUNDS,
    };
    play(kind, async |stage, victims| {
        let first = match victims {
            Victims::Owner | Victims::Twice => stage.owner().await,
            Victims::Any | Victims::AllButOne | Victims::All => stage.dice.below(INSTANCES),
        };
        let count = match victims {
            Victims::Any | Victims::Owner | Victims::Twice => 1,
            Victims::AllButOne => INSTANCES - 1,
            Victims::All => INSTANCES,
        };
        let victims_now: Vec<usize> = (first..).take(count).map(|victim| victim % INSTANCES).collect();
        for victim in &victims_now {
            stage.instances[*victim].kill();
        }
        let killed = Instant::now();
        if count < INSTANCES {
            stage.progress().await;
        }
        replace(stage, &victims_now);
        if matches!(victims, Victims::Twice) {
            stage.any_moment().await;
            stage.instances[first].kill();
            replace(stage, &[first]);
        }
        killed
    })
    .await;
}

fn replace(stage: &mut Stage, victims: &[usize]) {
    for victim in victims {
        stage.instances[*victim] = stage.start_instance();
    }
    stage.tell_addresses();
}
