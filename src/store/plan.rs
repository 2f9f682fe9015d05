//! What a batch will write, decided while its rows are locked and before anything is written. Shared by both stores.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::{Applied, LoggedEvent, Reply, Topology};
use crate::contract;
use crate::domain::{
    Command, CredentialEffect, Event, EventType, IdempotencyKey, Idempotent, Position, Refusal, Request, RequestId,
    Shard, Subject, decide,
};

/// Longest event, in bytes: below what a Kafka producer and broker take by default, headers included. An event that could
/// not be published would hold back its shard for ever, so it is refused before it is logged.
const MAX_EVENT_BYTES: usize = 900_000;

/// What a batch found: the rows of its requests, locked, and the replies kept under its keys.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Requests that exist.
    pub requests: HashMap<RequestId, Request>,
    /// Keys that were used before.
    pub keys: HashMap<IdempotencyKey, StoredReply>,
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
    replies: Vec<Member>,
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
        let mut replies = Vec::with_capacity(batch.len());
        for command in batch {
            if let Some(reply) = earlier_reply(command, &mut found) {
                replies.push(Member::Known(reply));
                continue;
            }
            let current = found.requests.get(&command.request);
            let decided = decide(command, current).and_then(|event| Ok((encode(&event)?, event)));
            match decided {
                Err(refusal) => replies.push(Member::Known(Err(refusal))),
                Ok((payload, event)) => {
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
        Self { changes, replies }
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
    pub(super) fn ranks(&self) -> Vec<i64> {
        let mut taken: HashMap<Shard, i64> = HashMap::new();
        let rank = |change: &Change| {
            let next = taken.entry(change.shard).or_default();
            *next += 1;
            *next - 1
        };
        self.changes.iter().map(rank).collect()
    }

    /// Profiles and smart cards that completed requests leave behind.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        self.changes.iter().filter_map(|change| learned(&change.event)).collect()
    }

    /// What each member hears, once the events of the changes, as [`Self::events`] places them, are committed.
    pub(super) fn replies(self, events: Vec<LoggedEvent>) -> Vec<Reply> {
        let applied: HashMap<RequestId, Applied> = self
            .changes
            .into_iter()
            .zip(events)
            .map(|(change, event)| (change.request.id, Applied { request: change.request, logged: Some(event) }))
            .collect();
        let reply = |member| match member {
            Member::Known(reply) => reply,
            // A batch has at most one command per request, and `of` made a change for each id that it noted here.
            Member::Change(id) => applied.get(&id).cloned().ok_or(Refusal::RequestNotFound(id)),
        };
        self.replies.into_iter().map(reply).collect()
    }

    /// The events of the changes, in their order, each at its position.
    pub(super) fn events(&self, first: &HashMap<Shard, Position>) -> Vec<LoggedEvent> {
        let mut next = first.clone();
        let place = |change: &Change| {
            let next = next.entry(change.shard).or_default();
            let position = *next;
            *next = position.next();
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
        self.changes.iter().map(place).collect()
    }
}

fn encode(event: &Event) -> Result<Bytes, Refusal> {
    let payload = contract::encode_event(event);
    let bytes = payload.len();
    if bytes > MAX_EVENT_BYTES { Err(Refusal::TooLarge { bytes, limit: MAX_EVENT_BYTES }) } else { Ok(payload) }
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

/// A completed request that made something tells what it made.
fn learned(event: &Event) -> Option<Subject> {
    let request = &event.request;
    let is_made = match request.kind.effect() {
        CredentialEffect::Makes | CredentialEffect::Replaces => !request.new.is_none(),
        CredentialEffect::Keeps => false,
    };
    (event.event_type == EventType::Completed && is_made).then_some(Subject {
        credential: request.new,
        owner: request.target,
        template: request.template.id,
    })
}
