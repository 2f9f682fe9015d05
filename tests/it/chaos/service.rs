//! One or several instances are killed at random moments.

use std::time::Instant;

use cmgate::store::Publishing;

use super::fleet::{Fleet, INSTANCES, Wiring};
use super::{Kind, ROUNDS, play, play_in};

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victims {
    /// Any instance.
    Any,
    /// The instance that publishes most.
    Owner,
    /// An instance, and its replacement as soon as that listens.
    Twice,
    /// All but one.
    AllButOne,
    /// All.
    All,
}

const KIND: Kind<'static, Victims> = Kind {
    name: "service_killed",
    wiring: Wiring::Direct,
    fleets: Some(1),
    variants: &[Victims::Any, Victims::Owner, Victims::Twice, Victims::Owner, Victims::AllButOne],
    rare: Victims::All,
    rounds: ROUNDS,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_services_are_killed() {
    play(KIND, kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_fenced_publishers_are_killed() {
    let kind = Kind { name: "service_killed_fenced", variants: &[Victims::Owner, Victims::Twice], rounds: 2, ..KIND };
    play_in(Publishing::Fenced, kind, kill).await;
}

async fn kill(fleet: &mut Fleet, victims: Victims) -> Instant {
    let first = match victims {
        Victims::Owner | Victims::Twice => fleet.owner().await,
        Victims::Any | Victims::AllButOne | Victims::All => fleet.rng.usize(..INSTANCES),
    };
    let count = match victims {
        Victims::Any | Victims::Owner | Victims::Twice => 1,
        Victims::AllButOne => INSTANCES - 1,
        Victims::All => INSTANCES,
    };
    let victims_now: Vec<usize> = (first..).take(count).map(|victim| victim % INSTANCES).collect();
    for victim in &victims_now {
        fleet.instances[*victim].kill();
    }
    let killed = Instant::now();
    if count < INSTANCES {
        fleet.progress().await;
    }
    replace(fleet, &victims_now);
    if matches!(victims, Victims::Twice) {
        fleet.any_moment().await;
        fleet.instances[first].kill();
        replace(fleet, &[first]);
    }
    killed
}

fn replace(fleet: &mut Fleet, victims: &[usize]) {
    for victim in victims {
        fleet.instances[*victim] = fleet.start_instance();
    }
    fleet.tell_addresses();
}
