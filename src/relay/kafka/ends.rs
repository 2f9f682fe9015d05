//! The end offset of each partition, advanced by delivery reports. A record acknowledged before the end went to another topic of the
//! same name.

use std::collections::BTreeMap;

use super::KafkaFailure;
use crate::domain::Shard;

/// The next offset of each partition that a publisher writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    next: BTreeMap<i32, i64>,
    stray: Option<Stray>,
    has_begun: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stray {
    partition: i32,
    offset: i64,
    end: i64,
}

impl Ends {
    /// Ends as they were read.
    pub(super) fn new(ends: impl IntoIterator<Item = (Shard, i64)>) -> Self {
        let next = ends.into_iter().map(|(shard, end)| (shard.number().into(), end)).collect();
        Self { next, ..Self::default() }
    }

    /// Records an acknowledgement. Transaction markers use offsets too, so there may be gaps, but never an offset before the end.
    pub(super) fn note(&mut self, partition: i32, offset: i64) {
        let end = self.next.entry(partition).or_default();
        if offset < *end {
            self.stray.get_or_insert(Stray { partition, offset, end: *end });
        } else {
            self.has_begun |= *end == 0;
            *end = offset + 1;
        }
    }

    /// Whether a partition got its first record since the last call.
    pub(super) fn take_begun(&mut self) -> bool {
        std::mem::take(&mut self.has_begun)
    }

    /// Fails if a record was acknowledged at an offset before the end of its partition, or without an offset.
    pub(super) fn check(&self) -> Result<(), KafkaFailure> {
        match self.stray {
            None => Ok(()),
            Some(Stray { partition, offset, end }) => Err(KafkaFailure::OffsetBehind { partition, offset, end }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_follow_the_end_of_their_partition() {
        let mut ends = Ends::new([(Shard::new(0), 7)]);
        for (partition, offset) in [(0, 7), (0, 8), (0, 12), (1, 0), (1, 1)] {
            ends.note(partition, offset);
        }
        assert!(ends.check().is_ok());
        assert!(ends.take_begun(), "partition 1 was empty");
        ends.note(0, 13);
        ends.note(1, 2);
        assert!(!ends.take_begun());
    }

    #[test]
    fn a_record_before_the_end_is_a_failure_whatever_follows() {
        for offset in [6, 0, -1, -1001] {
            let mut ends = Ends::new([(Shard::new(0), 7)]);
            ends.note(0, offset);
            ends.note(0, 20);
            let found = ends.check();
            let expected = matches!(found, Err(KafkaFailure::OffsetBehind { partition: 0, offset: reported, end: 7 }) if reported == offset);
            assert!(expected, "{offset}: {found:?}");
        }
        let mut ends = Ends::new([(Shard::new(0), 7)]);
        ends.note(0, 7);
        ends.note(0, 7);
        assert!(ends.check().is_err(), "an offset is given once");
    }
}
