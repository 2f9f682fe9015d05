//! The positions of a batch's events in the log.

use std::collections::{BTreeMap, HashMap};

use super::{Change, LoggedEvent};
use crate::domain::{Position, Shard, ShardCount};

/// The shards of a batch's events and the positions that they need there.
#[derive(Debug)]
pub(super) struct Positions {
    /// For each change, the shard of its event and the number of earlier events of the batch in that shard.
    places: Vec<(Shard, u64)>,
    needed: BTreeMap<Shard, u64>,
}

impl Positions {
    /// Computes shards and offsets for the events of these changes, in their order.
    pub(super) fn of(changes: &[Change], shards: ShardCount) -> Self {
        let mut needed: BTreeMap<Shard, u64> = BTreeMap::new();
        let place = |change: &Change| {
            let shard = shards.shard_of(change.request.id);
            let next = needed.entry(shard).or_default();
            *next += 1;
            (shard, *next - 1)
        };
        let places = changes.iter().map(place).collect();
        Self { places, needed }
    }

    /// The number of positions that the batch needs, by shard in ascending order, the order in which log ends are locked.
    pub(super) fn positions_needed(&self) -> &BTreeMap<Shard, u64> {
        &self.needed
    }

    /// The shard of each change.
    pub(super) fn shards(&self) -> impl Iterator<Item = Shard> {
        self.places.iter().map(|(shard, _)| *shard)
    }

    /// For each change, the number of earlier events of the batch in its shard.
    pub(super) fn offset_in_shard(&self) -> impl Iterator<Item = u64> {
        self.places.iter().map(|(_, offset)| *offset)
    }

    /// The events of the changes, given the first position reserved in each shard.
    pub(super) fn events(&self, changes: &[Change], first: &HashMap<Shard, Position>) -> Vec<LoggedEvent> {
        let event = |(change, (shard, offset)): (&Change, &(Shard, u64))| LoggedEvent {
            shard: *shard,
            position: first.get(shard).copied().unwrap_or_default().plus(*offset),
            request: change.request.id,
            version: change.request.version,
            event_type: change.event_type,
            at: change.at,
            trace: change.trace.clone(),
            payload: change.payload.clone(),
        };
        changes.iter().zip(&self.places).map(event).collect()
    }
}
