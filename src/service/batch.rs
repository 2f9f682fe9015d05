//! Decides a batch over the locked rows: replays idempotency keys, applies the life cycle and encodes the events.

mod import;

use std::collections::HashMap;
use std::sync::Arc;

use crate::contract;
use crate::domain::{
    Action, Command, Credential, Credentials, Event, LockSet, Refusal, Request, RequestId, decide, lock_set,
};
use crate::store::{
    Change, Committed, Decide, KeptReply, LockedRows, LoggedEvent, MemberRows, Outcome, Store, StoreError, StoredReply,
    Workload, Writes,
};

pub use import::import_credentials;

/// The outcome of one command of a batch.
pub type Reply = Result<Applied, Refusal>;

/// A command that took effect, now or when its idempotency key was first used.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The request after the change.
    pub request: Arc<Request>,
    /// The smart card that the command names, after the change.
    pub smartcard: Option<Credential>,
    /// The logged event; `None` if the command changed nothing or its key was replayed.
    pub logged: Option<LoggedEvent>,
}

/// Runs commands in one transaction. Either all commands that are not refused take effect, each with at most one event, or none
/// does. A batch holds at most one command per request and one per idempotency key. If its rows are too large together, only its
/// first commands run, at least one, and there are as many replies.
///
/// # Errors
/// See [`StoreError`]; unless the outcome is unknown, nothing has changed.
pub async fn commit(store: &dyn Store, mut commands: &[Command]) -> Result<Vec<Reply>, StoreError> {
    loop {
        match store.commit(&Batch(commands)).await {
            Err(StoreError::TooLargeTogether { fits }) if fits < commands.len() => commands = &commands[..fits],
            result => return result.map(replies),
        }
    }
}

/// Commands that share a transaction.
struct Batch<'c>(&'c [Command]);

impl Decide for Batch<'_> {
    fn workload(&self) -> Workload {
        Workload::Commands
    }

    fn members(&self) -> Vec<MemberRows<'_>> {
        let members = self.0.iter().map(|command| MemberRows {
            request: (!is_creation(command)).then_some(command.request),
            key: command.idempotent.as_ref().map(|idempotent| &idempotent.key),
        });
        members.collect()
    }

    fn lock_set(&self, requests: &HashMap<RequestId, Request>) -> LockSet {
        let mut all = LockSet::default();
        for command in self.0 {
            all.extend(lock_set(command, requests.get(&command.request)));
        }
        all
    }

    fn decide(&self, mut rows: LockedRows) -> Writes {
        let mut writes = Writes::default();
        for command in self.0 {
            let outcome = decide_member(command, &mut rows, &mut writes).unwrap_or_else(Outcome::Refused);
            writes.outcomes.push(outcome);
        }
        writes
    }

    /// Decides a batch of creations that refer to no stored rows. A refused creation with a key may have succeeded earlier, when
    /// other templates were in force, so its key must be read.
    fn decide_unread(&self) -> Option<Writes> {
        if !self.0.iter().all(is_creation) || !self.lock_set(&HashMap::new()).is_empty() {
            return None;
        }
        let writes = self.decide(LockedRows::default());
        let is_refused = |(command, outcome): (&Command, &Outcome)| {
            command.idempotent.is_some() && matches!(outcome, Outcome::Refused(_))
        };
        (!self.0.iter().zip(&writes.outcomes).any(is_refused)).then_some(writes)
    }
}

const fn is_creation(command: &Command) -> bool {
    matches!(command.action, Action::Create(_))
}

/// Decides one command and adds its writes.
fn decide_member(command: &Command, rows: &mut LockedRows, writes: &mut Writes) -> Result<Outcome, Refusal> {
    if let Some(earlier) = earlier_reply(command, rows)? {
        return Ok(Outcome::Unchanged { request: Arc::new(earlier.request), smartcard: earlier.smartcard });
    }
    let current = rows.requests.get(&command.request);
    let known = lock_set(command, current).within(&rows.credentials);
    let Some(event) = decide(command, current, &known)? else {
        return unchanged(command, current, &known, writes);
    };
    let payload = contract::encode_event_within_limits(&event)?;
    let is_new = current.is_none();
    // A later member of the batch may concern the same card.
    for credential in &event.credentials {
        writes.credentials.add(credential.clone(), rows.credentials.get(credential.id()), event.at);
        rows.credentials.put(credential.clone());
    }
    let smartcard = named_smartcard(command, &event.credentials);
    let Event { event_type, request, at, trace, .. } = event;
    let key = command.idempotent.clone();
    writes.changes.push(Change { request, is_new, event_type, at, trace, payload, key, smartcard });
    Ok(Outcome::Changed(command.request))
}

/// The stored reply for the key of a command, if the key was used before.
fn earlier_reply(command: &Command, rows: &mut LockedRows) -> Result<Option<StoredReply>, Refusal> {
    let Some(idempotent) = &command.idempotent else { return Ok(None) };
    match rows.keys.remove(&idempotent.key) {
        Some(earlier) if earlier.fingerprint != idempotent.fingerprint => {
            Err(Refusal::KeyReused(idempotent.key.clone()))
        }
        earlier => Ok(earlier),
    }
}

/// The outcome of a command that changes nothing. Its key is stored with the reply, so a retry gets the same reply even if the
/// request has changed since.
fn unchanged(
    command: &Command,
    current: Option<&Request>,
    known: &Credentials,
    writes: &mut Writes,
) -> Result<Outcome, Refusal> {
    let request = Arc::new(current.cloned().ok_or(Refusal::RequestNotFound(command.request))?);
    let smartcard = named_smartcard(command, known.all());
    writes.kept.extend(command.idempotent.clone().map(|idempotent| KeptReply {
        idempotent,
        request: Arc::clone(&request),
        smartcard: smartcard.clone(),
        at: command.now,
    }));
    Ok(Outcome::Unchanged { request, smartcard })
}

/// The smart card that a command names, among the given credentials.
fn named_smartcard<'s>(command: &Command, credentials: impl IntoIterator<Item = &'s Credential>) -> Option<Credential> {
    let Action::ChangeSmartcard { smartcard, .. } = &command.action else { return None };
    credentials.into_iter().find(|credential| credential.id() == smartcard.uuid()).cloned()
}

/// The reply to each member of a committed batch.
fn replies(Committed { writes, events }: Committed) -> Vec<Reply> {
    let applied = |(change, event): (Change, LoggedEvent)| {
        let Change { request, smartcard, .. } = change;
        (request.id, Applied { request, smartcard, logged: Some(event) })
    };
    let mut applied: HashMap<RequestId, Applied> = writes.changes.into_iter().zip(events).map(applied).collect();
    let reply = |outcome| match outcome {
        Outcome::Refused(refusal) => Err(refusal),
        Outcome::Unchanged { request, smartcard } => Ok(Applied { request, smartcard, logged: None }),
        // A batch has at most one command per request, and each request that changes has a change.
        Outcome::Changed(id) => applied.remove(&id).ok_or(Refusal::RequestNotFound(id)),
    };
    writes.outcomes.into_iter().map(reply).collect()
}
