//! Reads the batches of a partition in order: finds the own marker, and the last committed record before it.

use std::collections::BTreeSet;

use super::links::Fetched;
use super::{Producer, ProducerId};
use crate::Failure;
use crate::batch::{Marker, StoredRecord};

/// What a scan of a range of offsets has found so far.
#[derive(Clone, Debug)]
pub(super) struct Scan<T> {
    pub(super) partition: i32,
    /// First offset of the range.
    pub(super) from: i64,
    /// Offset that is read next.
    pub(super) next: i64,
    /// The last record of the lane, with its offset.
    pub(super) last: Option<(i64, T)>,
    /// Offset of the last record that is not the lane's.
    pub(super) foreign: Option<i64>,
}

/// A marker with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
}

impl<T> Scan<T> {
    pub(super) const fn new(partition: i32, from: i64) -> Self {
        Self { partition, from, next: from, last: None, foreign: None }
    }

    /// Reads fetched batches up to offset `to`, or up to the abort marker of `stop_at`, which it returns.
    pub(super) fn read(
        &mut self,
        fetched: Fetched,
        to: i64,
        stop_at: Option<Producer>,
        select: &impl Fn(&StoredRecord) -> Option<T>,
    ) -> Result<Option<Found>, Failure> {
        let mut coming = fetched.aborted;
        coming.sort_by_key(|(_, first)| *first);
        let mut coming = coming.into_iter().peekable();
        let mut aborted: BTreeSet<ProducerId> = BTreeSet::new();
        for batch in fetched.batches {
            if batch.base_offset >= to {
                break;
            }
            while let Some((id, _)) = coming.next_if(|(_, first)| *first <= batch.last_offset) {
                aborted.insert(id);
            }
            if batch.last_offset < self.next {
                // Only its marker can matter here: it ends what was aborted before the range.
                if batch.marker() == Some(Marker::Abort) {
                    aborted.remove(&batch.producer);
                }
                continue;
            }
            if let Some(marker) = batch.marker() {
                self.next = batch.last_offset + 1;
                if marker == Marker::Abort {
                    aborted.remove(&batch.producer);
                    let own = Producer { id: batch.producer, epoch: batch.epoch };
                    if stop_at == Some(own) {
                        return Ok(Some(Found { offset: batch.base_offset, timestamp: batch.timestamp }));
                    }
                }
                continue;
            }
            if !(batch.is_transactional() && aborted.contains(&batch.producer)) {
                for record in batch.records(self.partition)? {
                    if record.offset >= self.from && record.offset < to {
                        match select(&record) {
                            Some(kept) => self.last = Some((record.offset, kept)),
                            None => self.foreign = Some(record.offset),
                        }
                    }
                }
            }
            self.next = batch.last_offset + 1;
        }
        Ok(None)
    }
}
