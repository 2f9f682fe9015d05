//! What a batch will write, decided while its rows are locked and before anything is written. Shared by both stores.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{Applied, LoggedEvent, Reply, Topology};
use crate::contract;
use crate::domain::{
    Action, Command, Event, IdempotencyKey, Idempotent, Position, Refusal, Request, RequestId, Shard, Subject,
    Subjects, Timestamp, Touched, decide, import, touched,
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

/// The profiles and cards that a batch needs, given its requests.
pub(super) fn touched_by_batch(batch: &[Command], requests: &HashMap<RequestId, Request>) -> Touched {
    let mut all = Touched::default();
    for command in batch {
        all.extend(touched(command, requests.get(&command.request)));
    }
    all
}

/// What is kept under an idempotency key.
#[derive(Debug)]
pub(super) struct StoredReply {
    /// SHA-256 of what was asked.
    pub fingerprint: Vec<u8>,
    /// The request as it was answered.
    pub request: Request,
    /// The smart card as it was answered.
    pub smartcard: Option<Subject>,
}

/// What a batch will write, and what each of its members will hear.
#[derive(Debug)]
pub(super) struct Plan {
    /// Changes in the order in which their rows are to be written: by request id.
    pub changes: Vec<Change>,
    /// Profiles and cards to be written, by id.
    pub subjects: SubjectRows,
    /// Keys of members that change nothing, with the replies to keep under them.
    pub kept: Vec<KeptReply>,
    replies: Vec<Member>,
}

/// The reply of a member that changes nothing, to be kept under its key.
#[derive(Debug)]
pub(super) struct KeptReply {
    /// The key.
    pub idempotent: Idempotent,
    /// The request as it is answered.
    pub request: Arc<Request>,
    /// The smart card as it is answered.
    pub smartcard: Option<Subject>,
    /// When the key was used.
    pub at: Timestamp,
}

/// Profiles and cards to be written. One that is new must not replace a row that has come in between.
#[derive(Debug, Default)]
pub(super) struct SubjectRows {
    /// Those that were not known.
    pub new: BTreeMap<Uuid, SubjectRow>,
    /// Those that were.
    pub changed: BTreeMap<Uuid, SubjectRow>,
    /// Rows that give up a card id or a place on a card. They are emptied before anything is written, since a unique index is
    /// checked row by row and others may take over what they had.
    pub vacated: BTreeSet<Uuid>,
}

/// A profile or card to be written.
#[derive(Debug)]
pub(super) struct SubjectRow {
    /// As it stands from now on.
    pub subject: Subject,
    /// When it changed.
    pub at: Timestamp,
}

impl SubjectRows {
    /// Adds one; `before` is what is known of it.
    pub(super) fn add(&mut self, subject: Subject, before: Option<&Subject>, at: Timestamp) {
        let id = subject.id();
        // What is new within the batch stays new, however often it changes there.
        let Some(before) = before.filter(|_| !self.new.contains_key(&id)) else {
            self.new.insert(id, SubjectRow { subject, at });
            return;
        };
        let gives_up_card_id = before.card_id_in_use().is_some_and(|had| subject.card_id_in_use() != Some(had));
        let gives_up_place = before.valid_on().is_some_and(|had| subject.valid_on() != Some(had));
        if gives_up_card_id || gives_up_place {
            self.vacated.insert(id);
        }
        self.changed.insert(id, SubjectRow { subject, at });
    }
}

/// One change of one request.
#[derive(Debug)]
pub(super) struct Change {
    /// The request after it.
    pub request: Arc<Request>,
    /// The smart card that the command names, after the change.
    pub smartcard: Option<Subject>,
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
        let mut kept = Vec::new();
        let mut replies = Vec::with_capacity(batch.len());
        for command in batch {
            if let Some(reply) = earlier_reply(command, &mut found) {
                replies.push(Member::Known(reply));
                continue;
            }
            let current = found.requests.get(&command.request);
            let known = touched(command, current).within(&found.subjects);
            let decided = decide(command, current, &known);
            let decided = decided.and_then(|event| {
                event.map(|event| Ok((contract::encode_event_within_limits(&event)?, event))).transpose()
            });
            match decided {
                Err(refusal) => replies.push(Member::Known(Err(refusal))),
                Ok(None) => {
                    let reply = as_it_stands(command, current, &known);
                    kept.extend(kept_reply(command, &reply));
                    replies.push(Member::Known(reply));
                }
                Ok(Some((payload, event))) => {
                    // The next member of the batch may be about the same card.
                    for subject in &event.subjects {
                        subjects.add(subject.clone(), found.subjects.get(subject.id()), event.at);
                        found.subjects.put(subject.clone());
                    }
                    replies.push(Member::Change(command.request));
                    changes.push(Change {
                        request: Arc::clone(&event.request),
                        smartcard: named_smartcard(command, &event.subjects),
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
        Self { changes, subjects, kept, replies }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.kept.is_empty()
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
            .map(|(change, event)| {
                let Change { request, smartcard, .. } = change;
                (request.id, Applied { request, smartcard, logged: Some(event) })
            })
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
        Some(Ok(Applied { request: Arc::new(earlier.request), smartcard: earlier.smartcard, logged: None }))
    } else {
        Some(Err(Refusal::KeyReused(idempotent.key.clone())))
    }
}

/// The reply to a command that changes nothing, since all is as it wants it.
fn as_it_stands(command: &Command, current: Option<&Request>, known: &Subjects) -> Reply {
    let request = current.cloned().ok_or(Refusal::RequestNotFound(command.request))?;
    Ok(Applied { request: Arc::new(request), smartcard: named_smartcard(command, known.all()), logged: None })
}

/// The smart card that a command names, among those that it found or changed.
fn named_smartcard<'s>(command: &Command, subjects: impl IntoIterator<Item = &'s Subject>) -> Option<Subject> {
    let Action::ChangeSmartcard { smartcard, .. } = &command.action else { return None };
    subjects.into_iter().find(|subject| subject.id() == smartcard.uuid()).cloned()
}

/// What is kept of a reply without a change. A retry with the same key then hears it again, whatever happened since.
fn kept_reply(command: &Command, reply: &Reply) -> Option<KeptReply> {
    let idempotent = command.idempotent.clone()?;
    let Applied { request, smartcard, .. } = reply.as_ref().ok()?.clone();
    Some(KeptReply { idempotent, request, smartcard, at: command.now })
}

/// The rows of an import.
///
/// # Errors
/// The refusal of the import as a whole.
pub(super) fn import_rows(subjects: &[Subject], known: &Subjects, now: Timestamp) -> Result<SubjectRows, Refusal> {
    import(subjects, known)?;
    let mut rows = SubjectRows::default();
    // Of two with the same id the last counts, as in the import.
    for subject in subjects {
        rows.add(subject.clone(), known.get(subject.id()), now);
    }
    Ok(rows)
}
