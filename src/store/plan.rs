//! What a batch will write, decided while its rows are locked and before anything is written. Shared by both stores.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{Applied, LoggedEvent, Reply, Topology};
use crate::contract;
use crate::domain::{
    CardId, Command, Event, IdempotencyKey, Idempotent, Position, Refusal, Request, RequestId, Shard, Subject,
    Subjects, decide, import, touched,
};

/// What a batch found: the rows of its requests, locked, what is known of the profiles and cards that it touches, locked,
/// and the replies kept under its keys.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Requests that exist.
    pub requests: HashMap<RequestId, Request>,
    /// Profiles and cards that are known.
    pub subjects: Subjects,
    /// Keys that were used before.
    pub keys: HashMap<IdempotencyKey, StoredReply>,
}

/// Which profiles and cards a batch touches.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// By their ids.
    pub ids: BTreeSet<Uuid>,
    /// Cards by the id on them.
    pub card_ids: BTreeSet<CardId>,
}

impl Touched {
    /// Those that the commands of a batch touch, given its requests.
    pub(super) fn by(batch: &[Command], requests: &HashMap<RequestId, Request>) -> Self {
        let mut all = Self::default();
        for command in batch {
            let (ids, card_id) = touched(command, requests.get(&command.request));
            all.ids.extend(ids);
            all.card_ids.extend(card_id.cloned());
        }
        all
    }

    /// Those that an import touches.
    pub(super) fn by_import(subjects: &[Subject]) -> Self {
        let card_ids = subjects.iter().filter_map(Subject::card).map(|card| card.card_id.clone());
        Self { ids: subjects.iter().map(Subject::id).collect(), card_ids: card_ids.collect() }
    }

    /// Whether it is none.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.card_ids.is_empty()
    }
}

/// What is kept under an idempotency key.
#[derive(Debug)]
pub(super) struct StoredReply {
    /// SHA-256 of what was asked.
    pub fingerprint: Vec<u8>,
    /// The request as it was answered.
    pub request: Request,
}

/// What a batch will write, and what each of its members will hear.
#[derive(Debug)]
pub(super) struct Plan {
    /// Changes in the order in which their rows are to be written: by request id.
    pub changes: Vec<Change>,
    /// Profiles and cards to be written, by id.
    pub subjects: SubjectRows,
    replies: Vec<Member>,
}

/// Profiles and cards to be written. One that is new must not replace a row that has come in between.
#[derive(Debug, Default)]
pub(super) struct SubjectRows {
    /// Those that were not known.
    pub new: BTreeMap<Uuid, Subject>,
    /// Those that were.
    pub changed: BTreeMap<Uuid, Subject>,
}

impl SubjectRows {
    /// Adds one; `is_known`: there is a row of it.
    pub(super) fn add(&mut self, subject: Subject, is_known: bool) {
        // What is new within the batch stays new, however often it changes there.
        let rows = if is_known && !self.new.contains_key(&subject.id()) { &mut self.changed } else { &mut self.new };
        rows.insert(subject.id(), subject);
    }
}

/// One change of one request.
#[derive(Debug)]
pub(super) struct Change {
    /// The request after it.
    pub request: Arc<Request>,
    /// Whether its row is new.
    pub is_new: bool,
    /// Shard of its event.
    pub shard: Shard,
    /// What happened.
    pub event: Event,
    /// The event, encoded.
    pub payload: Bytes,
    /// The key to keep with it.
    pub key: Option<Idempotent>,
}

#[derive(Debug)]
enum Member {
    Known(Reply),
    Change(RequestId),
}

impl Plan {
    /// Decides every command of a batch.
    pub(super) fn of(batch: &[Command], mut found: Found, topology: Topology) -> Self {
        let mut changes = Vec::with_capacity(batch.len());
        let mut subjects = SubjectRows::default();
        let mut replies = Vec::with_capacity(batch.len());
        for command in batch {
            if let Some(reply) = earlier_reply(command, &mut found) {
                replies.push(Member::Known(reply));
                continue;
            }
            let current = found.requests.get(&command.request);
            let decided = decide(command, current, &found.subjects);
            let decided = decided.and_then(|event| {
                event.map(|event| Ok((contract::encode_event_within_limits(&event)?, event))).transpose()
            });
            match decided {
                Err(refusal) => replies.push(Member::Known(Err(refusal))),
                Ok(None) => replies.push(Member::Known(as_it_stands(command, current))),
                Ok(Some((payload, event))) => {
                    // The next member of the batch may be about the same card.
                    for subject in &event.subjects {
                        subjects.add(subject.clone(), found.subjects.get(subject.id()).is_some());
                        found.subjects.put(subject.clone());
                    }
                    replies.push(Member::Change(command.request));
                    changes.push(Change {
                        request: Arc::clone(&event.request),
                        is_new: current.is_none(),
                        shard: topology.shards.shard_of(command.request),
                        payload,
                        event,
                        key: command.idempotent.clone(),
                    });
                }
            }
        }
        changes.sort_by_key(|change| change.request.id);
        Self { changes, subjects, replies }
    }

    /// Positions that the batch needs, by shard in ascending order, the order in which heads are locked.
    pub(super) fn demand(&self) -> BTreeMap<Shard, u64> {
        let mut demand = BTreeMap::new();
        for change in &self.changes {
            *demand.entry(change.shard).or_default() += 1;
        }
        demand
    }

    /// How many events of the batch come before each change in its shard.
    pub(super) fn ranks(&self) -> Vec<u64> {
        let mut taken: HashMap<Shard, u64> = HashMap::new();
        let rank = |change: &Change| {
            let next = taken.entry(change.shard).or_default();
            *next += 1;
            *next - 1
        };
        self.changes.iter().map(rank).collect()
    }

    /// Whether a member that may have been answered under its key is refused.
    pub(super) fn refuses_under_key(&self, batch: &[Command]) -> bool {
        let is_refused = |member: &Member| matches!(member, Member::Known(Err(_)));
        self.replies.iter().zip(batch).any(|(member, command)| is_refused(member) && command.idempotent.is_some())
    }

    /// What each member hears, once the events of the changes, as [`Self::events`] places them, are committed.
    pub(super) fn replies(self, events: Vec<LoggedEvent>) -> Vec<Reply> {
        let mut applied: HashMap<RequestId, Applied> = self
            .changes
            .into_iter()
            .zip(events)
            .map(|(change, event)| (change.request.id, Applied { request: change.request, logged: Some(event) }))
            .collect();
        let reply = |member| match member {
            Member::Known(reply) => reply,
            // A batch has at most one command per request, and `of` made a change for each id that it noted here.
            Member::Change(id) => applied.remove(&id).ok_or(Refusal::RequestNotFound(id)),
        };
        self.replies.into_iter().map(reply).collect()
    }

    /// The events of the changes, in their order, each at its position.
    pub(super) fn events(&self, first: &HashMap<Shard, Position>) -> Vec<LoggedEvent> {
        let place = |(change, rank): (&Change, u64)| {
            let position = first.get(&change.shard).copied().unwrap_or_default().plus(rank);
            LoggedEvent {
                shard: change.shard,
                position,
                request: change.request.id,
                version: change.request.version,
                event_type: change.event.event_type,
                at: change.event.at,
                traceparent: change.event.traceparent.clone(),
                payload: change.payload.clone(),
            }
        };
        self.changes.iter().zip(self.ranks()).map(place).collect()
    }
}

fn earlier_reply(command: &Command, found: &mut Found) -> Option<Reply> {
    let idempotent = command.idempotent.as_ref()?;
    let earlier = found.keys.remove(&idempotent.key)?;
    if earlier.fingerprint == idempotent.fingerprint {
        Some(Ok(Applied { request: Arc::new(earlier.request), logged: None }))
    } else {
        Some(Err(Refusal::KeyReused(idempotent.key.clone())))
    }
}

/// The reply to a command that changes nothing, since all is as it wants it.
fn as_it_stands(command: &Command, current: Option<&Request>) -> Reply {
    let request = current.cloned().ok_or(Refusal::RequestNotFound(command.request))?;
    Ok(Applied { request: Arc::new(request), logged: None })
}

/// The rows of an import.
///
/// # Errors
/// The refusal of the first that is refused.
pub(super) fn import_rows(subjects: &[Subject], mut known: Subjects) -> Result<SubjectRows, Refusal> {
    let mut rows = SubjectRows::default();
    for (index, subject) in subjects.iter().enumerate() {
        import(subject, &known, &format!("subjects[{index}]"))?;
        rows.add(subject.clone(), known.get(subject.id()).is_some());
        known.put(subject.clone());
    }
    Ok(rows)
}
