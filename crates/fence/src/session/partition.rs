//! The sender's view of a partition: what waits, what is in flight, and where the next batch has to land.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::batch::{HEADER_BYTES, Place, encode};
use crate::clock::millis;
use crate::fence::{Marked, Producer};
use crate::{Failure, Limits, Record};

/// Where the next batch has to land, and what time it is for the leader.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// Right behind this offset; the marker told the leader's time.
    At { offset: i64, marked: Marked },
    /// Nothing is known.
    #[cfg(feature = "control")]
    Anything,
}

impl Expect {
    pub(crate) const fn after(marked: Marked) -> Self {
        Self::At { offset: marked.offset + 1, marked }
    }

    /// The time of sending by the leader's clock, which decides when producer state expires. This machine's wall clock can be set back.
    fn timestamp(&self, now: Duration) -> i64 {
        match self {
            Self::At { marked, .. } => marked.timestamp.saturating_add(millis(now.saturating_sub(marked.seen))),
            #[cfg(feature = "control")]
            Self::Anything => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, millis),
        }
    }
}

/// A record that waits, with its size.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) record: Record,
    pub(super) size: usize,
}

/// A batch without an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) records: usize,
    /// Sum of the sizes as they were queued.
    pub(super) bytes: usize,
}

/// One partition. At most one batch is in flight, so that batches cannot overtake each other.
#[derive(Debug)]
pub(super) struct Partition {
    expect: Expect,
    /// Sequence number of the next record; starts at 0 behind the marker.
    sequence: i32,
    queue: VecDeque<Queued>,
    in_flight: Option<InFlight>,
}

impl Partition {
    pub(super) const fn new(expect: Expect) -> Self {
        Self { expect, sequence: 0, queue: VecDeque::new(), in_flight: None }
    }

    pub(super) fn push(&mut self, records: Vec<Queued>) {
        self.queue.extend(records);
    }

    /// Whether a batch can be sent.
    pub(super) fn is_ready(&self) -> bool {
        self.in_flight.is_none() && !self.queue.is_empty()
    }

    /// The next batch, if one can be sent: as many records as the limits allow, at least one.
    pub(super) fn next_batch(
        &mut self,
        producer: Producer,
        limits: &Limits,
        now: Duration,
    ) -> Result<Option<Bytes>, Failure> {
        if !self.is_ready() {
            return Ok(None);
        }
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.queue.front() {
            let is_full =
                records.len() >= limits.batch_records || HEADER_BYTES + bytes + next.size > limits.batch_bytes;
            if is_full && !records.is_empty() {
                break;
            }
            let Some(next) = self.queue.pop_front() else { break };
            bytes += next.size;
            records.push(next.record);
        }
        let place = Place { producer, sequence: self.sequence, timestamp: self.expect.timestamp(now) };
        let batch = encode(place, &records, limits.compression)?;
        self.sequence = add_sequence(self.sequence, records.len());
        self.in_flight = Some(InFlight { records: records.len(), bytes });
        Ok(Some(batch))
    }

    /// The batch in flight, if there is one.
    pub(super) fn take_in_flight(&mut self) -> Option<InFlight> {
        self.in_flight.take()
    }

    /// Checks where a batch landed; returns the offset after it.
    pub(super) fn advance(&mut self, number: i32, base_offset: i64, records: usize) -> Result<i64, Failure> {
        let end = base_offset.saturating_add(i64::try_from(records).unwrap_or(i64::MAX));
        match &mut self.expect {
            Expect::At { offset, .. } if *offset != base_offset => {
                Err(Failure::UnexpectedOffset { partition: number, expected: *offset, actual: base_offset })
            }
            Expect::At { offset, .. } => {
                *offset = end;
                Ok(end)
            }
            #[cfg(feature = "control")]
            Expect::Anything => Ok(end),
        }
    }
}

/// Sequence numbers wrap from the largest `i32` to 0.
fn add_sequence(sequence: i32, records: usize) -> i32 {
    let sum = (i64::from(sequence) + i64::try_from(records).unwrap_or(0)) % (i64::from(i32::MAX) + 1);
    i32::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::batches;
    use crate::{Compression, ProducerId};

    const PRODUCER: Producer = Producer { id: ProducerId::new(1), epoch: 0 };

    fn partition(records: usize) -> Partition {
        let marked = Marked { offset: 41, timestamp: 1_000_000, seen: Duration::from_secs(10) };
        let mut partition = Partition::new(Expect::after(marked));
        let record = Record { value: Some(vec![1; 100].into()), ..Record::default() };
        let size = record.max_size();
        partition.push((0..records).map(|_| Queued { record: record.clone(), size }).collect());
        partition
    }

    #[test]
    fn sequences_wrap_as_the_broker_expects() {
        assert_eq!(add_sequence(0, 10), 10);
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
    }

    #[test]
    fn batches_stay_below_the_limits() {
        for (limits, expected) in [
            (Limits { batch_records: 4, ..Limits::default() }, vec![4, 4, 2]),
            (Limits { batch_bytes: 400, ..Limits::default() }, vec![3, 3, 3, 1]),
            (Limits { batch_bytes: 1, ..Limits::default() }, vec![1; 10]),
            (Limits { compression: Compression::Lz4, ..Limits::default() }, vec![10]),
        ] {
            let mut partition = partition(10);
            let (mut found, mut sequence) = (Vec::new(), 0);
            while let Some(batch) = partition.next_batch(PRODUCER, &limits, Duration::from_secs(10)).unwrap() {
                assert!(batch.len() <= limits.batch_bytes.max(200), "{}", batch.len());
                let count = batches(batch.clone()).unwrap()[0].records(0).unwrap().len();
                assert_eq!(i32::from_be_bytes(batch[53..57].try_into().unwrap()), sequence);
                assert!(partition.next_batch(PRODUCER, &limits, Duration::ZERO).unwrap().is_none(), "one is in flight");
                assert_eq!(partition.take_in_flight().unwrap().records, count);
                sequence += i32::try_from(count).unwrap();
                found.push(count);
            }
            assert_eq!(found, expected, "{limits:?}");
        }
    }

    #[test]
    fn records_have_the_leaders_time_of_sending() {
        let batch = partition(1).next_batch(PRODUCER, &Limits::default(), Duration::from_secs(70)).unwrap().unwrap();
        assert_eq!(batches(batch).unwrap()[0].timestamp, 1_060_000);
    }

    #[test]
    fn a_batch_lands_right_behind_the_one_before() {
        let mut behind = partition(0);
        assert_eq!(behind.advance(7, 42, 3).unwrap(), 45);
        assert_eq!(behind.advance(7, 45, 1).unwrap(), 46);
        for base_offset in [45, 47, -1, i64::MAX] {
            let found = behind.advance(7, base_offset, 1);
            let expected = matches!(found, Err(Failure::UnexpectedOffset { partition: 7, expected: 46, actual }) if actual == base_offset);
            assert!(expected, "{found:?}");
        }
    }
}
