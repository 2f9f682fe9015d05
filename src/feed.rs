//! The feed: how far the log reaches, and its newest events in memory, for those who follow it.
//!
//! Events of this process arrive right after their commit. What other processes append is noticed by watching the heads
//! of the log; whoever misses an event here reads it from the store.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::{Position, Shard, ShardCount};
use crate::store::LoggedEvent;

/// Newest events kept in memory, per shard.
const KEPT_EVENTS: usize = 4_096;

/// How far the log reaches, with its newest events.
#[derive(Debug)]
pub struct Feed {
    shards: Vec<ShardFeed>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct ShardFeed {
    head: AtomicU64,
    /// A run of events without a gap.
    newest: Mutex<VecDeque<LoggedEvent>>,
}

impl Feed {
    /// A feed that knows of nothing yet.
    #[must_use]
    pub fn new(shards: ShardCount) -> Self {
        let shards = shards.shards().map(|_| ShardFeed::default()).collect();
        Self { shards, changed: watch::Sender::new(()) }
    }

    /// Takes in events that were just committed, each shard's in order.
    pub fn append(&self, events: impl IntoIterator<Item = LoggedEvent>) {
        for event in events {
            let Some(shard) = self.shards.get(event.shard.index()) else { continue };
            let position = event.position;
            shard.push(event);
            shard.head.fetch_max(position.get(), Ordering::AcqRel);
        }
        self.changed.send_replace(());
    }

    /// Takes note of how far the log reaches, in the order of the shards.
    pub fn observe(&self, heads: &[Position]) {
        let mut has_grown = false;
        for (shard, head) in self.shards.iter().zip(heads) {
            has_grown |= shard.head.fetch_max(head.get(), Ordering::AcqRel) < head.get();
        }
        if has_grown {
            self.changed.send_replace(());
        }
    }

    /// The last position of a shard, as far as is known.
    #[must_use]
    pub fn head(&self, shard: Shard) -> Position {
        self.shards
            .get(shard.index())
            .map_or(Position::START, |shard| Position::new(shard.head.load(Ordering::Acquire)))
    }

    /// Up to `limit` events that follow `after` without a gap, if they are in memory; otherwise nothing.
    #[must_use]
    pub fn read(&self, shard: Shard, after: Position, limit: usize) -> Vec<LoggedEvent> {
        let Some(shard) = self.shards.get(shard.index()) else { return Vec::new() };
        let newest = shard.lock();
        let Some(first) = newest.front().map(|event| event.position) else { return Vec::new() };
        if after.next() < first {
            return Vec::new();
        }
        let skip = usize::try_from(after.next().since(first)).unwrap_or(usize::MAX);
        newest.iter().skip(skip).take(limit).cloned().collect()
    }

    /// A signal that something was appended. Subscribe before looking, so that nothing is missed in between.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl ShardFeed {
    fn push(&self, event: LoggedEvent) {
        let mut newest = self.lock();
        let follows = newest.back().is_none_or(|last| last.position.next() == event.position);
        if !follows {
            newest.clear();
        }
        if newest.len() == KEPT_EVENTS {
            newest.pop_front();
        }
        newest.push_back(event);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LoggedEvent>> {
        // The queue is whole between any two statements, so a panic elsewhere cannot have left it broken.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
