//! The day of the newest event read from each shard. The next read starts there, so a year of log costs a reader no more than a
//! week, and no read waits for a lock on the partition of an old day.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;

use crate::domain::{Position, Shard};
use crate::store::LoggedEvent;

/// The newest day read, by shard.
#[derive(Debug, Default)]
pub(super) struct DayHints(Mutex<HashMap<Shard, Newest>>);

#[derive(Clone, Copy, Debug)]
struct Newest {
    day: NaiveDate,
    /// The first position read of that day.
    first: Position,
}

impl DayHints {
    /// The day from which to read the events after a position: the one before the newest, because the clocks of processes
    /// differ slightly. They may differ more, so the caller checks the result for gaps.
    pub(super) fn start_day(&self, shard: Shard, position: Position) -> Option<NaiveDate> {
        let newest = *self.lock().get(&shard)?;
        (newest.first <= position).then_some(newest.day)?.pred_opt()
    }

    /// Records events that were read from a shard, in their order.
    pub(super) fn note(&self, events: &[LoggedEvent]) {
        let Some(last) = events.last() else { return };
        let day = last.at.day();
        let of_that_day = events.iter().rev().take_while(|event| event.at.day() == day);
        let Some(first) = of_that_day.map(|event| event.position).last() else { return };
        let mut shards = self.lock();
        let newest = shards.entry(last.shard).or_insert(Newest { day, first });
        if newest.day == day {
            newest.first = newest.first.min(first);
        } else if newest.first < first {
            *newest = Newest { day, first };
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Shard, Newest>> {
        // Any state of the map is a valid hint, so a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EventType, RequestId, Timestamp, Trace, Version};

    const SHARD: Shard = Shard::new(3);

    #[test]
    fn events_after_the_newest_day_are_read_from_the_day_before() {
        let hints = DayHints::default();
        assert_eq!(start_day(&hints, 7), None);
        hints.note(&[event(6, 1), event(7, 2), event(8, 2)]);
        assert_eq!(start_day(&hints, 6), None);
        assert_eq!(start_day(&hints, 7), Some(day(1)));
        assert_eq!(start_day(&hints, 900), Some(day(1)));
        assert_eq!(hints.start_day(Shard::new(0), Position::new(7)), None);
    }

    #[test]
    fn a_read_of_old_events_keeps_the_newest_day() {
        let hints = DayHints::default();
        hints.note(&[event(7, 5)]);
        hints.note(&[event(2, 1)]);
        hints.note(&[]);
        assert_eq!(start_day(&hints, 7), Some(day(4)));
        assert_eq!(start_day(&hints, 6), None);
        hints.note(&[event(6, 5), event(7, 5)]);
        assert_eq!(start_day(&hints, 6), Some(day(4)));
        // After a clock was set back, its events count as the newest.
        hints.note(&[event(8, 2)]);
        assert_eq!(start_day(&hints, 8), Some(day(1)));
        assert_eq!(start_day(&hints, 7), None);
    }

    fn start_day(hints: &DayHints, position: u64) -> Option<NaiveDate> {
        hints.start_day(SHARD, Position::new(position))
    }

    fn day(number: i64) -> NaiveDate {
        midnight(number).day()
    }

    fn midnight(day: i64) -> Timestamp {
        Timestamp::from_micros(day * 86_400 * 1_000_000).unwrap()
    }

    fn event(position: u64, day: i64) -> LoggedEvent {
        LoggedEvent {
            shard: SHARD,
            position: Position::new(position),
            request: RequestId::new(Uuid::nil()),
            version: Version::FIRST,
            event_type: EventType::Created,
            at: midnight(day),
            trace: Trace::default(),
            payload: Bytes::new(),
        }
    }
}
