//! One session of a worker: fence, read the tails, check them, stream. It ends at the first outcome other than a clean commit.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use super::backlog::Backlog;
use super::check::checkpoint_of;
use super::context::Context;
use super::halt::Halt;
use super::kafka::{GroupPublisher, KafkaFailure, Published, Record, Tail};
use super::status::WorkerState;
use super::stop::{Ended, Stop};
use super::topic_watch::TopicWatch;
use crate::domain::{Position, Shard};
use crate::store::{Checkpoint, LoggedEvent, PartitionGroupLock};

/// How often an idle worker checks its lock and whether the service drains.
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// How often the checkpoints are stored. They only matter if the topic loses its records.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Session<'a> {
    context: &'a Context,
    publisher: GroupPublisher,
    topic: TopicWatch,
    shards: Vec<ShardProgress>,
    backlog: Backlog,
    /// Index of the shard that comes first in the next batch.
    first: usize,
    checkpointed: Instant,
    /// Whether the status says that the worker streams.
    is_reported: bool,
}

/// The events of one transaction.
struct Batch {
    events: Vec<LoggedEvent>,
    /// Approximate size of the records.
    bytes: usize,
    /// Whether enough events remain for another large transaction.
    has_more: bool,
}

/// How far the session is in one shard.
struct ShardProgress {
    shard: Shard,
    /// Last published position.
    cursor: Position,
    /// The checkpoint as it is stored.
    stored: Checkpoint,
}

impl<'a> Session<'a> {
    /// Runs a session until it ends.
    pub(super) fn run(context: &'a Context, lock: &dyn PartitionGroupLock, halted: Option<&Halt>) -> Ended {
        let mut session = match Self::begin(context, halted) {
            Ok(session) => session,
            Err(stop) => return stop.ended(false, &context.kafka),
        };
        // Only publishing shows whether the topic accepts the record now.
        session.is_reported = !matches!(halted, Some(Halt::RecordTooLarge(_)));
        if session.is_reported {
            context.status.set(WorkerState::Streaming, None);
        }
        tracing::info!(group = context.group(), cursors = ?session.cursors(), "relay worker streams");
        let mut published = false;
        let ended = session.stream(lock, &mut published);
        context.status.set_fenced_since(None);
        ended.unwrap_or_else(|stop| stop.ended(published, &context.kafka))
    }

    /// Fences every predecessor, unless the checks already fail, and then finds out how far they published.
    fn begin(context: &'a Context, halted: Option<&Halt>) -> Result<Self, Stop> {
        let shards = context.shards();
        let id = Uuid::new_v4();
        let topic = context.check_before_fence(halted)?;
        context.bind_publishing()?;
        let begun = Instant::now();
        let claim = context.claim_group(topic.as_ref())?;
        context.query(context.store.claim_checkpoints(shards, id))?;
        let (publisher, tails) = claim.finish(&context.kafka, &context.runtime, shards, topic.as_ref())?;
        // Read after the tails: every record on the topic was in the log before.
        let log_ends = context.query(context.store.log_ends())?;
        let checkpoints = context.query(context.store.checkpoints())?;
        context.feed.observe(&log_ends);
        let mut shards_progress = Vec::with_capacity(tails.len());
        for tail in &tails {
            let log_end = log_ends.get(tail.shard.index()).copied().unwrap_or_default();
            let stored = checkpoint_of(&checkpoints, tail.shard)?;
            let cursor = context.check_tail(tail, stored, log_end)?;
            shards_progress.push(ShardProgress {
                shard: tail.shard,
                cursor,
                stored: Checkpoint { owner: id, ..*stored },
            });
        }
        let backlog = Backlog::new(context.volume.get().ceiling(), &context.kafka.source);
        context.bind(topic.as_ref())?;
        let topic = TopicWatch::new(topic);
        let mut session = Self {
            context,
            publisher,
            topic,
            shards: shards_progress,
            backlog,
            first: 0,
            checkpointed: Instant::now(),
            is_reported: false,
        };
        session.consume_override(&tails)?;
        context.status.advance(session.cursors().into_iter());
        context.status.set_fenced_since(session.publisher.renews_fence().then_some(begun));
        Ok(session)
    }

    /// Removes an operator's override for an empty topic once the topic has records: it must not apply if the topic is emptied later.
    fn consume_override(&mut self, tails: &[Tail]) -> Result<(), Stop> {
        let mut has_changed = false;
        for (progress, tail) in self.shards.iter_mut().zip(tails) {
            if progress.stored.may_start_topic && tail.last.is_some() {
                progress.stored = Checkpoint { position: progress.cursor, may_start_topic: false, ..progress.stored };
                has_changed = true;
            }
        }
        if has_changed { self.store_checkpoints() } else { Ok(()) }
    }

    fn stream(&mut self, lock: &dyn PartitionGroupLock, published: &mut bool) -> Result<Ended, Stop> {
        let mut changes = self.context.feed.subscribe();
        loop {
            if !lock.is_held() {
                return Ok(Ended::LockLost);
            }
            // Checked before the log is read, so that events written before the drain are still published.
            let is_draining = self.context.drain.is_cancelled();
            changes.mark_unchanged();
            self.topic.check(self.context)?;
            self.publisher.check()?;
            let batch = self.collect()?;
            if batch.events.is_empty() {
                if is_draining {
                    self.checkpoint(true)?;
                    return Ok(Ended::Drained);
                }
                self.checkpoint_if_due()?;
                self.wait(&mut changes);
                continue;
            }
            let (count, has_more) = (batch.events.len(), batch.has_more);
            let begun = Instant::now();
            let outcome = self.publish(batch)?;
            *published = true;
            if !std::mem::replace(&mut self.is_reported, true) {
                self.context.status.set(WorkerState::Streaming, None);
            }
            self.checkpoint_if_due()?;
            if outcome == Published::Reconnected {
                return Ok(Ended::Reconnected);
            }
            if !has_more {
                thread::sleep(self.publisher.linger(count, begun));
            }
        }
    }

    /// Collects the next events of every shard. If they do not all fit, the next batch begins with the first shard left out.
    fn collect(&mut self) -> Result<Batch, Stop> {
        let limit = self.context.volume.get();
        let mut batch = Batch { events: Vec::new(), bytes: 0, has_more: false };
        let count = self.shards.len();
        for index in (self.first..count).chain(0..self.first) {
            let progress = &self.shards[index];
            let log_end = self.context.feed.log_end(progress.shard);
            if log_end <= progress.cursor {
                continue;
            }
            let free_bytes = limit.bytes().saturating_sub(batch.bytes);
            if free_bytes == 0 {
                batch.has_more = true;
                self.first = index;
                break;
            }
            let free_bytes = free_bytes.min(limit.partition_bytes());
            let (mut events, has_more) =
                self.backlog.next(self.context, progress.shard, progress.cursor, log_end, free_bytes)?;
            if events.is_empty() {
                // The log end says that there are more events.
                let found = self.context.feed.log_end(progress.shard);
                return Err(Halt::LogGap { shard: progress.shard, missing: progress.cursor.next(), found }.into());
            }
            for (expected, event) in (1..).map(|n| progress.cursor.plus(n)).zip(&events) {
                if event.position != expected {
                    return Err(Halt::LogGap { shard: progress.shard, missing: expected, found: event.position }.into());
                }
            }
            batch.bytes += events.iter().map(|event| self.backlog.size(event)).sum::<usize>();
            batch.has_more |= has_more;
            batch.events.append(&mut events);
        }
        self.backlog.trim();
        Ok(batch)
    }

    fn publish(&mut self, batch: Batch) -> Result<Published, Stop> {
        self.mark_inexact(&batch.events)?;
        let ends: BTreeMap<Shard, Position> = batch.events.iter().map(|event| (event.shard, event.position)).collect();
        let mut limit = self.context.volume.get();
        let begun = Instant::now();
        // Each event is dropped when its record is built, so that the batch is not in memory twice.
        let records = batch.events.into_iter().map(|event| Record::new(&event, &self.context.kafka.source));
        let published = self.publisher.publish(records);
        match &published {
            Ok(_) => limit.committed(batch.bytes, begun.elapsed()),
            Err(KafkaFailure::BatchTooLarge { bytes, .. }) => limit.refused(*bytes),
            Err(KafkaFailure::FenceRenewal) => {}
            Err(_) => limit.failed(batch.bytes),
        }
        self.context.volume.set(limit);
        let published = published?;
        for (shard, position) in ends {
            if let Some(progress) = self.shards.iter_mut().find(|progress| progress.shard == shard) {
                progress.cursor = position;
            }
        }
        self.context.status.advance(self.cursors().into_iter());
        Ok(published)
    }

    /// Marks stored checkpoints as inexact before the first publication makes them so.
    fn mark_inexact(&mut self, batch: &[LoggedEvent]) -> Result<(), Stop> {
        let touches = |progress: &ShardProgress| batch.iter().any(|event| event.shard == progress.shard);
        if !self.shards.iter().any(|progress| progress.stored.exact && touches(progress)) {
            return Ok(());
        }
        for progress in &mut self.shards {
            progress.stored = Checkpoint { exact: false, ..progress.stored };
        }
        self.store_checkpoints()
    }

    fn checkpoint_if_due(&mut self) -> Result<(), Stop> {
        let has_moved = self.shards.iter().any(|progress| progress.cursor != progress.stored.position);
        if has_moved && self.checkpointed.elapsed() >= CHECKPOINT_INTERVAL { self.checkpoint(false) } else { Ok(()) }
    }

    /// Stores the checkpoints. An override for an empty topic stays until its partition has a record.
    fn checkpoint(&mut self, exact: bool) -> Result<(), Stop> {
        for progress in &mut self.shards {
            let has_moved = progress.cursor != progress.stored.position;
            progress.stored = Checkpoint {
                shard: progress.shard,
                position: progress.cursor,
                exact: exact || (progress.stored.exact && !has_moved),
                may_start_topic: progress.stored.may_start_topic && !has_moved,
                ignored_to: progress.stored.ignored_to,
                owner: progress.stored.owner,
            };
        }
        self.checkpointed = Instant::now();
        self.store_checkpoints()
    }

    fn store_checkpoints(&self) -> Result<(), Stop> {
        let checkpoints: Vec<Checkpoint> = self.shards.iter().map(|progress| progress.stored).collect();
        let written = self.context.query(self.context.store.put_checkpoints(&checkpoints))?;
        if written == checkpoints.len() { Ok(()) } else { Err(Stop::CheckpointFenced) }
    }

    fn wait(&self, changes: &mut watch::Receiver<()>) {
        // Time-out or change, the next step is the same.
        let _ = self.context.runtime.block_on(async { tokio::time::timeout(IDLE_WAIT, changes.changed()).await });
    }

    fn cursors(&self) -> Vec<Position> {
        self.shards.iter().map(|progress| progress.cursor).collect()
    }
}
