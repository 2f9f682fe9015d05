//! A partition group: the shards that one worker publishes.

use crate::domain::Shard;
use crate::store::Topology;

/// Shards that are published together, by one worker in one process at a time.
#[derive(Clone, Debug)]
pub struct PartitionGroup {
    /// Number of the group, from 0.
    pub number: u16,
    /// Its shards; their records go to the partitions of the same numbers.
    pub shards: Vec<Shard>,
}

impl PartitionGroup {
    /// Every group of a topology.
    pub(super) fn all(topology: Topology) -> impl Iterator<Item = Self> {
        (0..topology.partition_groups).map(move |number| Self { number, shards: topology.shards_of(number).collect() })
    }
}
