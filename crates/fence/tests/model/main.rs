//! A model of the protocol, explored exhaustively: writers, the coordinator, partition leaders with a replica, requests and answers that
//! arrive at any later time or never, writers that crash or stop at any point, and leaders that fail. No interleaving repeats or skips
//! a position. Each condition that is dropped makes the exploration find one that does.

#![expect(clippy::unwrap_used, reason = "a tail is known when it is used")]
#![expect(clippy::print_stderr, reason = "a run says how much it explored")]

mod log;
mod world;

use std::collections::{HashSet, VecDeque};

use log::Log;
use world::World;

/// What is left out of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    Nothing,
    /// The empty transaction: a writer reads the tails after `InitProducerId`.
    Transaction,
    /// The wait for the own marker: a writer reads the tails after the answer to `EndTxn`.
    Wait,
    /// The marker in each log: a writer reads the tails once the coordinator has no marker left to write. It may leave one out.
    OwnMarker,
    /// The end of the session at a lost answer: a writer sends the same position as a new batch.
    EndAtLoss,
    /// The renewal of the fence: a leader forgets the epochs of a producer while a zombie's request is under way.
    Renewal,
    /// The proof that the old producer id is fenced everywhere before a new one is used.
    OldId,
    /// The epochs that are never written with, but only fence the ones before them.
    LastEpochs,
    /// The comparison of epochs by the leaders: they look at sequence numbers alone.
    Epochs,
    /// The one mode of all writers: the first writer fences at the coordinator alone, as a transactional one does.
    OneMode,
    /// The high watermark: a writer takes a marker for written that a failing leader can lose.
    HighWatermark,
    /// Clean elections: a replica becomes the leader that lacks replicated entries.
    CleanElection,
}

/// Size of a model.
#[derive(Clone, Copy, Debug)]
struct Size {
    writers: usize,
    partitions: usize,
    /// Claims in all.
    claims: u8,
    /// Positions of each partition.
    positions: u8,
    /// First epoch that is never written with.
    last_epoch: u8,
    /// Leaders that fail.
    elections: u8,
}

/// Explores every world; returns their number, or the first one with a repeated or missing position.
fn explore(size: Size, dropped: Dropped) -> Result<usize, Box<World>> {
    let first = World::new(size);
    let mut seen = HashSet::from([first.clone()]);
    let mut queue = VecDeque::from([first]);
    while let Some(world) = queue.pop_front() {
        for next in world.steps(size, dropped) {
            if !next.logs.iter().all(Log::is_dense) {
                return Err(Box::new(next));
            }
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    Ok(seen.len())
}

const SMALL: Size = Size { writers: 2, partitions: 1, claims: 3, positions: 2, last_epoch: 100, elections: 1 };

#[test]
fn no_interleaving_repeats_or_skips_a_position() {
    for size in [
        SMALL,
        Size { positions: 3, elections: 0, ..SMALL },
        Size { writers: 3, elections: 0, ..SMALL },
        Size { partitions: 2, claims: 2, positions: 1, ..SMALL },
        // The second claim only fences; the third gets a new id.
        Size { claims: 4, last_epoch: 1, ..SMALL },
    ] {
        match explore(size, Dropped::Nothing) {
            Ok(worlds) => eprintln!("{size:?}: {worlds} worlds"),
            Err(world) => panic!("{size:?}: {world:#?}"),
        }
    }
}

#[test]
fn each_dropped_condition_is_found() {
    for dropped in [
        Dropped::Transaction,
        Dropped::Wait,
        Dropped::OwnMarker,
        Dropped::EndAtLoss,
        Dropped::Renewal,
        Dropped::Epochs,
        Dropped::OneMode,
        Dropped::HighWatermark,
        Dropped::CleanElection,
    ] {
        assert!(explore(SMALL, dropped).is_err(), "{dropped:?}");
    }
    for dropped in [Dropped::OldId, Dropped::LastEpochs] {
        assert!(explore(Size { last_epoch: 1, elections: 0, ..SMALL }, dropped).is_err(), "{dropped:?}");
    }
}
