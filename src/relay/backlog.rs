//! The events that a session publishes next: from the feed if they are in memory, else from the log, which is read ahead. The
//! memory that it keeps over all shards is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::context::Context;
use crate::domain::{Position, Shard};
use crate::store::{LOG_READ_BYTES, LoggedEvent, StoreError};

/// Most events of a shard in one transaction, and in one query of the log. A transaction costs the broker as much as one or two
/// hundred events.
const SHARD_BATCH: usize = 2_000;

/// Approximate size of a record without payload and source: key, headers, lengths.
const RECORD_OVERHEAD: usize = 400;

/// Assumed size of a record until some were read.
const FIRST_RECORD_BYTES: usize = 1_000;

/// Events that were read and not published yet, and the queries under way.
#[derive(Debug)]
pub(super) struct Backlog {
    shards: BTreeMap<Shard, ShardBuffer>,
    /// Queries that read ahead now.
    readings: usize,
    /// Most of them at once.
    max_readings: usize,
    /// Most bytes to keep between two transactions.
    max_bytes: usize,
    overhead: usize,
    /// Moving average of the size of a record, which says how many events to read.
    record_bytes: usize,
}

#[derive(Debug, Default)]
struct ShardBuffer {
    events: VecDeque<LoggedEvent>,
    prefetch: Option<Prefetch>,
}

#[derive(Debug)]
struct Prefetch {
    after: Position,
    events: AbortOnDropHandle<Result<Vec<LoggedEvent>, StoreError>>,
}

impl Backlog {
    /// A backlog that keeps at most `max_bytes`, and reads about as much ahead.
    pub(super) fn new(max_bytes: usize, source: &str) -> Self {
        Self {
            shards: BTreeMap::new(),
            readings: 0,
            max_readings: max_bytes / LOG_READ_BYTES as usize,
            max_bytes,
            overhead: RECORD_OVERHEAD + source.len(),
            record_bytes: FIRST_RECORD_BYTES,
        }
    }

    /// Approximate size of the record of an event.
    pub(super) fn size(&self, event: &LoggedEvent) -> usize {
        event.payload.len() + self.overhead
    }

    /// The events of a shard from the cursor to the log end: as many as fit into `free_bytes`, but at least one if there is any; and
    /// whether enough events remain for another large transaction.
    pub(super) fn next(
        &mut self,
        context: &Context,
        shard: Shard,
        cursor: Position,
        log_end: Position,
        free_bytes: usize,
    ) -> Result<(Vec<LoggedEvent>, bool), StoreError> {
        let mut buffer = self.shards.remove(&shard).unwrap_or_default();
        if buffer.events.front().is_some_and(|event| event.position != cursor.next()) {
            buffer.events.clear();
        }
        if let Some((after, wanted)) = self.missing(&buffer.events, cursor, log_end, free_bytes) {
            let mut events = context.feed.read(shard, after, wanted);
            if events.is_empty() {
                events = self.read(context, &mut buffer, shard, after, wanted)?;
                self.note_size(&events);
                self.start_prefetch(context, &mut buffer, shard, &events, free_bytes);
            } else if buffer.prefetch.take().is_some() {
                self.readings -= 1;
            }
            buffer.events.extend(events);
        }
        let count = self.batch_len(&buffer.events, free_bytes);
        let events: Vec<LoggedEvent> = buffer.events.drain(..count).collect();
        let last = events.last().map_or(cursor, |event| event.position);
        // Few remaining events wait for others, because they would make a small transaction.
        let has_more = !buffer.events.is_empty() || log_end.since(last) >= SHARD_BATCH as u64;
        self.shards.insert(shard, buffer);
        Ok((events, has_more))
    }

    /// The position after which more events are read, and how many, if there are any and the batch has free bytes for them. Without
    /// this a batch would end where an earlier reading did, and the next one would be a small one.
    fn missing(
        &self,
        events: &VecDeque<LoggedEvent>,
        cursor: Position,
        log_end: Position,
        free_bytes: usize,
    ) -> Option<(Position, usize)> {
        let last = events.back().map_or(cursor, |event| event.position);
        let (bytes, more) = (self.sum(events), SHARD_BATCH.saturating_sub(events.len()));
        (last < log_end && bytes < free_bytes && more > 0).then(|| (last, self.wanted(free_bytes - bytes).min(more)))
    }

    /// Events to ask for when so many bytes are wanted.
    fn wanted(&self, bytes: usize) -> usize {
        (bytes / self.record_bytes + 1).min(SHARD_BATCH)
    }

    fn start_prefetch(
        &mut self,
        context: &Context,
        buffer: &mut ShardBuffer,
        shard: Shard,
        events: &[LoggedEvent],
        free_bytes: usize,
    ) {
        if let Some(last) = events.last()
            && self.readings < self.max_readings
        {
            buffer.prefetch = Prefetch::start(context, shard, last.position, self.wanted(free_bytes));
            self.readings += usize::from(buffer.prefetch.is_some());
        }
    }

    /// Drops events in excess of the bound; they are read again when they are due.
    pub(super) fn trim(&mut self) {
        let bytes = |(shard, buffer): (&Shard, &ShardBuffer)| (*shard, self.sum(&buffer.events));
        let sizes: Vec<(Shard, usize)> = self.shards.iter().map(bytes).collect();
        let mut total: usize = sizes.iter().map(|(_, bytes)| bytes).sum();
        for (shard, bytes) in sizes.into_iter().rev() {
            if total <= self.max_bytes {
                break;
            }
            if let Some(buffer) = self.shards.get_mut(&shard) {
                buffer.events = VecDeque::new();
            }
            total -= bytes;
        }
    }

    fn read(
        &mut self,
        context: &Context,
        buffer: &mut ShardBuffer,
        shard: Shard,
        cursor: Position,
        wanted: usize,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        if let Some(prefetch) = buffer.prefetch.take() {
            self.readings -= 1;
            if prefetch.after == cursor
                // A query whose task was aborted is repeated.
                && let Some(events) = context.query(async { Ok(prefetch.events.await.ok()) })?
            {
                return events;
            }
        }
        context.query(context.store.read_log(shard, cursor, limit(wanted)))
    }

    fn sum<'a>(&self, events: impl IntoIterator<Item = &'a LoggedEvent>) -> usize {
        events.into_iter().map(|event| self.size(event)).sum()
    }

    fn note_size(&mut self, events: &[LoggedEvent]) {
        if let Some(mean) = self.sum(events).checked_div(events.len()) {
            self.record_bytes = (self.record_bytes * 3 + mean) / 4;
        }
    }

    /// How many of these events go into the batch; at least one if there is any.
    fn batch_len(&self, events: &VecDeque<LoggedEvent>, free_bytes: usize) -> usize {
        let mut bytes = 0;
        let fits = |event: &&LoggedEvent| {
            bytes += self.size(event);
            bytes <= free_bytes
        };
        events.iter().take(SHARD_BATCH).take_while(fits).count().max(1).min(events.len())
    }
}

impl Prefetch {
    /// Starts to read the events after a position, if there are any.
    fn start(context: &Context, shard: Shard, after: Position, wanted: usize) -> Option<Self> {
        if context.feed.log_end(shard) <= after {
            return None;
        }
        let store = Arc::clone(&context.store);
        let read = context.runtime.spawn(async move { store.read_log(shard, after, limit(wanted)).await });
        Some(Self { after, events: AbortOnDropHandle::new(read) })
    }
}

fn limit(wanted: usize) -> u32 {
    u32::try_from(wanted).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EventType, RequestId, Timestamp, Trace, Version};

    const ROOM: usize = 10_000;

    #[test]
    fn events_go_together_as_long_as_there_is_room_for_their_records() {
        let backlog = Backlog::new(1 << 20, "");
        let count = |sizes: &[usize]| backlog.batch_len(&events(sizes), ROOM);
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[ROOM, 1]), 1);
        assert_eq!(count(&[1, ROOM, 1]), 1);
        let half = ROOM / 2 - RECORD_OVERHEAD;
        assert_eq!(count(&[half, half, 0]), 2);
        assert_eq!(count(&[half, half - RECORD_OVERHEAD, 0, 0]), 3);
        assert_eq!(backlog.batch_len(&events(&[0; SHARD_BATCH + 1]), usize::MAX), SHARD_BATCH);
    }

    #[test]
    fn a_batch_is_filled_beyond_what_an_earlier_reading_left() {
        let backlog = Backlog::new(1 << 20, "");
        let missing =
            |sizes: &[usize], log_end| backlog.missing(&events(sizes), Position::START, Position::new(log_end), ROOM);
        let small = FIRST_RECORD_BYTES - RECORD_OVERHEAD;
        assert_eq!(missing(&[], 100), Some((Position::START, 11)));
        assert_eq!(missing(&[small; 3], 100), Some((Position::new(3), 8)));
        assert_eq!(missing(&[small; 3], 3), None, "the log ends there");
        assert_eq!(missing(&[small; 10], 100), None, "there is no room");
        assert_eq!(
            backlog.missing(&events(&[0; SHARD_BATCH]), Position::START, Position::new(9_999), usize::MAX),
            None
        );
    }

    #[test]
    fn what_is_kept_of_all_shards_is_bounded() {
        let mut backlog = Backlog::new(100_000, "");
        for shard in 0..100 {
            let buffer = ShardBuffer { events: events(&[10_000; 3]), prefetch: None };
            backlog.shards.insert(Shard::new(shard), buffer);
        }
        backlog.trim();
        let kept: Vec<&ShardBuffer> = backlog.shards.values().filter(|buffer| !buffer.events.is_empty()).collect();
        assert_eq!(kept.len(), 3);
        assert!(kept.iter().all(|buffer| buffer.events.len() == 3));
    }

    fn events(sizes: &[usize]) -> VecDeque<LoggedEvent> {
        let event = |(position, size): (u64, &usize)| LoggedEvent {
            shard: Shard::new(0),
            position: Position::new(position),
            request: RequestId::new(Uuid::nil()),
            version: Version::FIRST,
            event_type: EventType::Created,
            at: Timestamp::from_micros(0).unwrap(),
            trace: Trace::default(),
            payload: Bytes::from(vec![0; *size]),
        };
        (1..).zip(sizes).map(event).collect()
    }
}
