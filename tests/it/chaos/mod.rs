//! Faults under load, round after round. After each round nothing that was acknowledged is missing, and nothing is twice
//! or out of order: an auditor reads the database and the topic, and a consumer has read the topic all the while.
//!
//! `CMGATE_TEST_ROUNDS` says how many rounds each kind of fault has, `CMGATE_TEST_SEED` what they are made of; without them
//! there are a few rounds of a new seed, which is printed. Each kind ends with a line of figures. A recovery lasts from the
//! end of the fault until everything that was in the log by then has reached a consumer and a write is acknowledged; where
//! others take over while the fault goes on, from its beginning until they have.

mod broker;
mod clock;
mod database;
mod fencing;
mod figures;
mod foreign;
mod full;
mod garbage;
mod huge;
mod keys;
mod locked;
mod proxy;
mod recreated;
mod restored;
mod service;
mod small_limit;
mod sqlite_disk;
mod stage;
mod stopped;
mod throttled;
mod unlocked;
mod watch;

use std::env;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::dice::Dice;
use crate::services::Exclusive;
use figures::Figures;
use stage::{Stage, Wiring};

/// Rounds of most kinds, unless `CMGATE_TEST_ROUNDS` says otherwise.
const ROUNDS: u32 = 3;

/// Rounds on one stage. Audits read everything, so that a stage should not grow old.
const STAGE_ROUNDS: usize = 10;

/// One round in so many is of a fault that takes long.
const RARE: u32 = 25;

/// Longest time for a round, the minute without a broker included.
const PATIENCE: Duration = Duration::from_mins(10);

/// A kind of fault.
#[derive(Clone, Copy)]
struct Kind<'v, V> {
    name: &'static str,
    wiring: Wiring,
    /// Stages at once, on servers that are shared with other tests; none if the servers themselves are hurt, and so have to
    /// be there for one stage alone.
    stages: Option<usize>,
    /// The variants, which take turns.
    variants: &'v [V],
    /// One that takes long.
    rare: V,
    /// Rounds, unless `CMGATE_TEST_ROUNDS` says otherwise.
    rounds: u32,
}

/// Plays the rounds of a kind. A fault returns when it has ended.
async fn play<V: Copy + Debug>(kind: Kind<'_, V>, fault: impl AsyncFn(&mut Stage, V) -> Instant) {
    let servers = kind.stages.is_none().then(Exclusive::take);
    let (seed, rounds) = (Dice::seed(), rounds(kind.rounds));
    println!("chaos: kind={} seed={seed} rounds={rounds} begins", kind.name);
    let figures = Figures::new(kind.name, seed);
    let first = Dice::new(seed).below(kind.variants.len());
    let variant = |round: u32| match round {
        round if round % RARE == RARE - 1 => kind.rare,
        round => kind.variants[(first + round as usize) % kind.variants.len()],
    };
    let stages = kind.stages.unwrap_or(1);
    let on_stage = async |number: usize| {
        let mine: Vec<u32> = (0..rounds).skip(number).step_by(stages).collect();
        for some in mine.chunks(STAGE_ROUNDS) {
            let mut stage = Stage::set(kind.wiring, servers.as_ref()).await;
            for round in some {
                stage.begin(Dice::new(seed).fork(u64::from(*round))).await;
                let variant = variant(*round);
                println!("chaos: {} {round}: {variant:?}", kind.name);
                let whole = async {
                    let mended = fault(&mut stage, variant).await;
                    stage.settle(mended, &figures).await
                };
                let report = tokio::time::timeout(PATIENCE, whole).await.expect("a round comes to its end");
                println!("chaos: {} {round}: {report}", kind.name);
            }
        }
    };
    join_all((0..stages).map(on_stage)).await;
}

fn rounds(otherwise: u32) -> u32 {
    env::var("CMGATE_TEST_ROUNDS").map_or(otherwise, |rounds| rounds.parse().unwrap())
}
