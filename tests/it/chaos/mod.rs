//! Faults under load, in rounds. After each round no acknowledged write is missing, repeated or out of order: the auditor reads
//! the database and the topic, and a consumer follows the topic throughout.
//!
//! `CMGATE_TEST_ROUNDS` sets the rounds of each kind of fault and `CMGATE_TEST_SEED` their random numbers; the default is a few
//! rounds with a new seed, which is printed. Each kind ends with a summary line. Its recovery time runs from the end of the fault
//! (from its beginning where other instances take over meanwhile) until the log of that moment has reached a consumer and another
//! write is acknowledged.

mod broker;
pub(crate) mod clock;
mod database;
mod enforced;
mod fencing;
mod figures;
pub(crate) mod fleet;
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
mod stopped;
mod throttled;
mod unlocked;
mod watch;

use std::env;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use cmgate::store::Publishing;
use futures::future::join_all;

use crate::support::random;
use crate::support::relay::publishing;
use crate::support::servers::Exclusive;
use figures::Figures;
use fleet::{Fleet, Wiring};

/// Rounds of most kinds, unless `CMGATE_TEST_ROUNDS` says otherwise.
const ROUNDS: u32 = 3;

/// Rounds on one fleet. Audits read everything, so a fleet is replaced after some rounds.
const FLEET_ROUNDS: usize = 10;

/// One in this many rounds uses the slow fault.
const RARE: u32 = 25;

/// Longest time for a round, the minute without a broker included.
const PATIENCE: Duration = Duration::from_mins(10);

/// A kind of fault.
#[derive(Clone, Copy)]
struct Kind<'v, V> {
    name: &'static str,
    wiring: Wiring,
    /// Fleets at once, on servers shared with other tests; `None` if the fault hits the servers, which one fleet then has for
    /// itself.
    fleets: Option<usize>,
    /// The variants, used in turn.
    variants: &'v [V],
    /// The slow variant, used rarely.
    rare: V,
    /// Rounds, unless `CMGATE_TEST_ROUNDS` says otherwise.
    rounds: u32,
}

/// Runs the rounds of a kind in the mode of the run. A fault returns the moment at which it ended.
async fn play<V: Copy + Debug>(kind: Kind<'_, V>, fault: impl AsyncFn(&mut Fleet, V) -> Instant) {
    play_in(publishing(), kind, fault).await;
}

/// Runs the rounds of a kind in a mode of publishing.
async fn play_in<V: Copy + Debug>(
    publishing: Publishing,
    kind: Kind<'_, V>,
    fault: impl AsyncFn(&mut Fleet, V) -> Instant,
) {
    let servers = kind.fleets.is_none().then(Exclusive::take);
    let (seed, rounds) = (random::seed(), rounds(kind.rounds));
    println!("chaos: kind={} publish={} seed={seed} rounds={rounds} begins", kind.name, publishing.name());
    let figures = Figures::new(kind.name, seed);
    let first = random::rng(seed, 0).usize(..kind.variants.len());
    let variant = |round: u32| match round {
        round if round % RARE == RARE - 1 => kind.rare,
        round => kind.variants[(first + round as usize) % kind.variants.len()],
    };
    let fleets = kind.fleets.unwrap_or(1);
    let on_stage = async |number: usize| {
        let mine: Vec<u32> = (0..rounds).skip(number).step_by(fleets).collect();
        for some in mine.chunks(FLEET_ROUNDS) {
            let mut fleet = Fleet::start(publishing, kind.wiring, servers.as_ref()).await;
            for round in some {
                fleet.begin(random::rng(seed, u64::from(*round))).await;
                let variant = variant(*round);
                println!("chaos: {} {round}: {variant:?}", kind.name);
                let whole = async {
                    let mended = fault(&mut fleet, variant).await;
                    fleet.settle(mended, &figures).await
                };
                let report = tokio::time::timeout(PATIENCE, whole).await.expect("a round ends in time");
                println!("chaos: {} {round}: {report}", kind.name);
            }
        }
    };
    join_all((0..fleets).map(on_stage)).await;
}

fn rounds(otherwise: u32) -> u32 {
    env::var("CMGATE_TEST_ROUNDS").map_or(otherwise, |rounds| rounds.parse().unwrap())
}
