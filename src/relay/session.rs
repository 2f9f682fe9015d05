//! One session of a lane: fence, tail, check, stream. It ends at the first thing that is not a clean commit.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use super::backlog::Backlog;
use super::check::checkpoint_of;
use super::halt::Halt;
use super::lane::Lane;
use super::status::LaneState;
use super::stop::{Ended, Stop};
use super::topic_watch::TopicWatch;
use crate::domain::{Position, Shard};
use crate::kafka::{KafkaFailure, Published, Publisher, Record, Tail, read_tails};
use crate::store::{Checkpoint, LaneLock, LoggedEvent};

/// How long the lane lets events gather after a transaction, for each event but the first that was in it. A transaction costs
/// the broker as much as a hundred events; a busy lane so makes few large ones, and one with little to do does not wait.
const GATHER_PER_EVENT: Duration = Duration::from_micros(200);
/// Longest such wait.
const GATHER_MAX: Duration = Duration::from_millis(60);

/// How often the lane looks around when nothing happens: at its lock, and whether it is to end.
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// How often the place of the lane is written down. It is only needed if the topic loses its records.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Session<'a> {
    lane: &'a Lane,
    publisher: Publisher,
    topic: TopicWatch,
    shards: Vec<ShardPlace>,
    backlog: Backlog,
    /// Index of the shard whose turn it is to come first in a batch.
    first: usize,
    checkpointed: Instant,
    /// Whether it is said to stream.
    is_tried: bool,
}

/// What goes into one transaction.
struct Batch {
    events: Vec<LoggedEvent>,
    /// About the bytes of its records.
    bytes: usize,
    /// Whether more was waiting.
    is_cut: bool,
}

/// Where the session is in one shard.
struct ShardPlace {
    shard: Shard,
    /// Last published position.
    cursor: Position,
    /// The checkpoint as it is stored.
    stored: Checkpoint,
}

impl<'a> Session<'a> {
    /// Runs a session to its end.
    pub(super) fn run(lane: &'a Lane, lock: &dyn LaneLock, halted: Option<&Halt>) -> Ended {
        let mut session = match Self::begin(lane, halted) {
            Ok(session) => session,
            Err(stop) => return stop.ended(false, &lane.kafka),
        };
        // Whether the topic takes the record now is seen once it is published.
        session.is_tried = !matches!(halted, Some(Halt::RecordTooLarge(_)));
        if session.is_tried {
            lane.status.set(LaneState::Streaming, None);
        }
        tracing::info!(lane = lane.status.lane, cursors = ?session.cursors(), "relay lane streams");
        let mut published = false;
        let ended = session.stream(lock, &mut published);
        ended.unwrap_or_else(|stop| stop.ended(published, &lane.kafka))
    }

    /// Fences every predecessor, unless it is plain that nothing may be published, and only then finds out where they left off.
    fn begin(lane: &'a Lane, halted: Option<&Halt>) -> Result<Self, Stop> {
        let shards = lane.status.shards();
        let id = Uuid::new_v4();
        let topic = lane.check_before_fence(halted)?;
        let mut publisher = Publisher::fence(&lane.kafka, lane.status.lane)?;
        lane.ask(lane.store.claim_checkpoints(shards, id))?;
        let tails = read_tails(&lane.kafka, shards)?;
        publisher.follow(&tails, &lane.kafka, topic.as_ref());
        // Read after the tails: what is on the topic was in the log before.
        let heads = lane.ask(lane.store.heads())?;
        let checkpoints = lane.ask(lane.store.checkpoints())?;
        lane.feed.observe(&heads);
        let mut places = Vec::with_capacity(tails.len());
        for tail in &tails {
            let head = heads.get(tail.shard.index()).copied().unwrap_or_default();
            let stored = checkpoint_of(&checkpoints, tail.shard)?;
            let cursor = lane.check_tail(tail, stored, head)?;
            places.push(ShardPlace { shard: tail.shard, cursor, stored: Checkpoint { owner: id, ..*stored } });
        }
        let backlog = Backlog::new(lane.volume.get().ceiling(), &lane.kafka.source);
        lane.bind(topic.as_ref())?;
        let topic = TopicWatch::new(topic);
        let mut session = Self {
            lane,
            publisher,
            topic,
            shards: places,
            backlog,
            first: 0,
            checkpointed: Instant::now(),
            is_tried: false,
        };
        session.use_up_permits(&tails)?;
        lane.status.advance(session.cursors().into_iter());
        Ok(session)
    }

    /// An operator's word is about a topic that is empty now, not about one that is emptied later.
    fn use_up_permits(&mut self, tails: &[Tail]) -> Result<(), Stop> {
        let mut has_changed = false;
        for (place, tail) in self.shards.iter_mut().zip(tails) {
            if place.stored.may_start_topic && tail.last.is_some() {
                place.stored = Checkpoint { position: place.cursor, may_start_topic: false, ..place.stored };
                has_changed = true;
            }
        }
        if has_changed { self.store_checkpoints() } else { Ok(()) }
    }

    fn stream(&mut self, lock: &dyn LaneLock, published: &mut bool) -> Result<Ended, Stop> {
        let mut changes = self.lane.feed.subscribe();
        loop {
            if !lock.is_held() {
                return Ok(Ended::Overtaken);
            }
            // Looked at before the log, so that what was written before the end is still published.
            let is_draining = self.lane.drain.is_cancelled();
            changes.mark_unchanged();
            self.topic.check(self.lane)?;
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
            let outcome = self.publish(&batch)?;
            *published = true;
            if !std::mem::replace(&mut self.is_tried, true) {
                self.lane.status.set(LaneState::Streaming, None);
            }
            self.checkpoint_if_due()?;
            if outcome == Published::Reconnected {
                return Ok(Ended::Reconnected);
            }
            if !batch.is_cut {
                gather(batch.events.len());
            }
        }
    }

    /// What comes next in each shard. Where not everything fits, the shard that had no room comes first in the next batch.
    fn collect(&mut self) -> Result<Batch, Stop> {
        let limit = self.lane.volume.get();
        let mut batch = Batch { events: Vec::new(), bytes: 0, is_cut: false };
        let count = self.shards.len();
        for index in (self.first..count).chain(0..self.first) {
            let place = &self.shards[index];
            let head = self.lane.feed.head(place.shard);
            if head <= place.cursor {
                continue;
            }
            let room = limit.bytes().saturating_sub(batch.bytes);
            if room == 0 {
                batch.is_cut = true;
                self.first = index;
                break;
            }
            let room = room.min(limit.partition_bytes());
            let mut events = self.backlog.next(self.lane, place.shard, place.cursor, head, room)?;
            if events.is_empty() {
                // The head says that there is something.
                let found = self.lane.feed.head(place.shard);
                return Err(Halt::LogGap { shard: place.shard, missing: place.cursor.next(), found }.into());
            }
            for (expected, event) in (1..).map(|n| place.cursor.plus(n)).zip(&events) {
                if event.position != expected {
                    return Err(Halt::LogGap { shard: place.shard, missing: expected, found: event.position }.into());
                }
            }
            batch.bytes += events.iter().map(|event| self.backlog.size(event)).sum::<usize>();
            batch.is_cut |= events.last().is_some_and(|last| last.position < head);
            batch.events.append(&mut events);
        }
        self.backlog.trim();
        Ok(batch)
    }

    fn publish(&mut self, batch: &Batch) -> Result<Published, Stop> {
        self.mark_inexact(&batch.events)?;
        let mut limit = self.lane.volume.get();
        let begun = Instant::now();
        // Made one by one, so that they are not in memory together once more.
        let records = batch.events.iter().map(|event| Record::new(event, &self.lane.kafka.source));
        let published = self.publisher.publish(records);
        match &published {
            Ok(_) => limit.committed(batch.bytes, begun.elapsed()),
            Err(KafkaFailure::BatchTooLarge { bytes, .. }) => limit.refused(*bytes),
            Err(_) => limit.failed(batch.bytes),
        }
        self.lane.volume.set(limit);
        let published = published?;
        for event in &batch.events {
            if let Some(place) = self.shards.iter_mut().find(|place| place.shard == event.shard) {
                place.cursor = event.position;
            }
        }
        self.lane.status.advance(self.cursors().into_iter());
        Ok(published)
    }

    /// From the first publication on, the stored checkpoint of a shard is no longer the exact place.
    fn mark_inexact(&mut self, batch: &[LoggedEvent]) -> Result<(), Stop> {
        let touches = |place: &ShardPlace| batch.iter().any(|event| event.shard == place.shard);
        if !self.shards.iter().any(|place| place.stored.exact && touches(place)) {
            return Ok(());
        }
        for place in &mut self.shards {
            place.stored = Checkpoint { exact: false, ..place.stored };
        }
        self.store_checkpoints()
    }

    fn checkpoint_if_due(&mut self) -> Result<(), Stop> {
        let has_moved = self.shards.iter().any(|place| place.cursor != place.stored.position);
        if has_moved && self.checkpointed.elapsed() >= CHECKPOINT_INTERVAL { self.checkpoint(false) } else { Ok(()) }
    }

    /// Writes down where the lane is. A shard whose topic an operator let start keeps that word until it has a record.
    fn checkpoint(&mut self, exact: bool) -> Result<(), Stop> {
        for place in &mut self.shards {
            let has_moved = place.cursor != place.stored.position;
            place.stored = Checkpoint {
                shard: place.shard,
                position: place.cursor,
                exact: exact || (place.stored.exact && !has_moved),
                may_start_topic: place.stored.may_start_topic && !has_moved,
                ignored_to: place.stored.ignored_to,
                owner: place.stored.owner,
            };
        }
        self.checkpointed = Instant::now();
        self.store_checkpoints()
    }

    fn store_checkpoints(&self) -> Result<(), Stop> {
        let checkpoints: Vec<Checkpoint> = self.shards.iter().map(|place| place.stored).collect();
        let written = self.lane.ask(self.lane.store.put_checkpoints(&checkpoints))?;
        if written == checkpoints.len() { Ok(()) } else { Err(Stop::Overruled) }
    }

    fn wait(&self, changes: &mut watch::Receiver<()>) {
        // A time-out and a change both mean: look again.
        let _ = self.lane.runtime.block_on(async { tokio::time::timeout(IDLE_WAIT, changes.changed()).await });
    }

    fn cursors(&self) -> Vec<Position> {
        self.shards.iter().map(|place| place.cursor).collect()
    }
}

/// Lets events gather.
fn gather(published: usize) {
    let others = u32::try_from(published.saturating_sub(1)).unwrap_or(u32::MAX);
    thread::sleep(GATHER_PER_EVENT.saturating_mul(others).min(GATHER_MAX));
}
