//! The feed: the last position of each shard and the newest events in memory, for readers that follow the log.
//!
//! Events of this process are added right after their commit. Polling the log ends reveals events of other processes; a
//! reader that does not find an event here reads it from the store.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::{Position, Shard, ShardCount};
use crate::store::LoggedEvent;

/// Newest events kept in memory, per shard.
const KEPT_EVENTS: usize = 4_096;
/// Maximum bytes of events per read, unless the first event alone exceeds them.
const READ_BYTES: usize = 2 << 20;
/// Maximum bytes of events kept in memory, over all shards.
const KEPT_BYTES: usize = 16 << 20;

/// The last position of each shard, with its newest events.
#[derive(Debug)]
pub struct Feed {
    shards: Vec<ShardFeed>,
    /// Maximum bytes of events kept per shard.
    shard_bytes: usize,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct ShardFeed {
    log_end: AtomicU64,
    newest: Mutex<Run>,
}

/// A run of events without a gap.
#[derive(Debug, Default)]
struct Run {
    events: VecDeque<LoggedEvent>,
    /// Bytes of their payloads.
    bytes: usize,
}

impl Feed {
    /// An empty feed.
    #[must_use]
    pub fn new(shards: ShardCount) -> Self {
        let shard_bytes = KEPT_BYTES / usize::from(shards.get());
        let shards = shards.shards().map(|_| ShardFeed::default()).collect();
        Self { shards, shard_bytes, changed: watch::Sender::new(()) }
    }

    /// Adds events that were just committed, in order within each shard.
    pub fn append(&self, events: impl IntoIterator<Item = LoggedEvent>) {
        for event in events {
            let Some(shard) = self.shards.get(event.shard.index()) else { continue };
            let position = event.position;
            shard.lock().push(event, self.shard_bytes);
            shard.log_end.fetch_max(position.get(), Ordering::AcqRel);
        }
        self.changed.send_replace(());
    }

    /// Whether the log is known to reach these positions, in shard order.
    #[must_use]
    pub fn reaches(&self, log_ends: &[Position]) -> bool {
        self.shards.iter().zip(log_ends).all(|(shard, log_end)| shard.log_end.load(Ordering::Acquire) >= log_end.get())
    }

    /// Records the last positions of the log, in shard order.
    pub fn observe(&self, log_ends: &[Position]) {
        let mut has_grown = false;
        for (shard, log_end) in self.shards.iter().zip(log_ends) {
            has_grown |= shard.log_end.fetch_max(log_end.get(), Ordering::AcqRel) < log_end.get();
        }
        if has_grown {
            self.changed.send_replace(());
        }
    }

    /// The last known position of a shard.
    #[must_use]
    pub fn log_end(&self, shard: Shard) -> Position {
        self.shards
            .get(shard.index())
            .map_or(Position::START, |shard| Position::new(shard.log_end.load(Ordering::Acquire)))
    }

    /// Up to `limit` events that follow `after` without a gap, as far as they are in memory and within the size limit of a read.
    #[must_use]
    pub fn read(&self, shard: Shard, after: Position, limit: usize) -> Vec<LoggedEvent> {
        let Some(shard) = self.shards.get(shard.index()) else { return Vec::new() };
        let newest = &shard.lock().events;
        let Some(first) = newest.front().map(|event| event.position) else { return Vec::new() };
        if after.next() < first {
            return Vec::new();
        }
        let skip = usize::try_from(after.next().since(first)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |event: &&LoggedEvent| {
            bytes += event.payload.len();
            bytes <= READ_BYTES || bytes == event.payload.len()
        };
        newest.iter().skip(skip).take(limit).take_while(fits).cloned().collect()
    }

    /// Signals when the log grows. Subscribe before reading, so that no event is missed in between.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl ShardFeed {
    fn lock(&self) -> MutexGuard<'_, Run> {
        // The run is consistent between any two statements, so a panic of another holder cannot have corrupted it.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn push(&mut self, event: LoggedEvent, max_bytes: usize) {
        let follows = self.events.back().is_none_or(|last| last.position.next() == event.position);
        if !follows {
            *self = Self::default();
        }
        self.bytes += event.payload.len();
        self.events.push_back(event);
        while self.events.len() > KEPT_EVENTS || self.bytes > max_bytes {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.payload.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::{Feed, KEPT_BYTES};
    use crate::domain::{EventType, Position, RequestId, Shard, ShardCount, Timestamp, Trace, Version};
    use crate::store::LoggedEvent;

    fn event(shard: Shard, position: u64, bytes: usize) -> LoggedEvent {
        LoggedEvent {
            shard,
            position: Position::new(position),
            request: RequestId::new(Uuid::nil()),
            version: Version::FIRST,
            event_type: EventType::Created,
            at: Timestamp::from_micros(0).unwrap(),
            trace: Trace::default(),
            payload: Bytes::from(vec![0; bytes]),
        }
    }

    #[test]
    fn the_bytes_kept_are_bounded_for_any_number_of_shards() {
        for shards in [1, 8, 64] {
            let shards = ShardCount::new(shards).unwrap();
            let feed = Feed::new(shards);
            for shard in shards.shards() {
                feed.append((1..=100).map(|position| event(shard, position, 500_000)));
            }
            let kept: Vec<usize> = feed.shards.iter().map(|shard| shard.lock().bytes).collect();
            assert!(kept.iter().sum::<usize>() <= KEPT_BYTES, "{kept:?}");
            // Each shard uses its share.
            assert!(kept.iter().all(|bytes| bytes + 500_000 > KEPT_BYTES / kept.len()), "{kept:?}");
            let last = Position::new(99);
            for shard in shards.shards() {
                assert_eq!(feed.log_end(shard), Position::new(100));
                assert!(feed.read(shard, last, 10).len() <= 1);
            }
        }
    }
}
