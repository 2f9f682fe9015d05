//! The interface between a store and the caller that decides a batch: rows to lock, rows found, rows to write.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{CredentialRows, LoggedEvent};
use crate::domain::{
    Credential, Credentials, EventType, IdempotencyKey, Idempotent, LockSet, Refusal, Request, RequestId, Timestamp,
    Trace,
};

/// A batch that its caller decides while the store holds the rows locked.
pub trait Decide: Send + Sync {
    /// The kind of work, which selects the connections.
    fn workload(&self) -> Workload;

    /// The rows that each member refers to, in the order of the members.
    fn members(&self) -> Vec<MemberRows<'_>>;

    /// The profiles and cards to lock, given the locked requests.
    fn lock_set(&self, requests: &HashMap<RequestId, Request>) -> LockSet;

    /// Decides what to write. May be called more than once, because a transaction that conflicts with another one is retried.
    fn decide(&self, rows: LockedRows) -> Writes;

    /// Decides what to write, provided that it depends on no stored row and that no key was used before; `None` if it depends on
    /// rows. A used key causes a conflict, and the batch is then decided over locked rows.
    fn decide_unread(&self) -> Option<Writes>;
}

/// The kind of work of a transaction. Each kind has its own connections, so neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Commands about requests.
    Commands,
    /// An import of profiles and cards.
    Import,
}

/// The rows that one member of a batch refers to.
#[derive(Clone, Copy, Debug)]
pub struct MemberRows<'b> {
    /// The stored request that it changes; `None` for a new one.
    pub request: Option<RequestId>,
    /// The idempotency key to look up; `None` if the caller gave none.
    pub key: Option<&'b IdempotencyKey>,
}

/// The rows that a batch found, locked until its transaction ends. Keys are not locked; a key that another batch adds meanwhile
/// causes a conflict.
#[derive(Debug, Default)]
pub struct LockedRows {
    /// The requests of the lock set that exist.
    pub requests: HashMap<RequestId, Request>,
    /// Profiles and cards that exist.
    pub credentials: Credentials,
    /// Keys that were used before.
    pub keys: HashMap<IdempotencyKey, StoredReply>,
}

/// The reply stored under an idempotency key.
#[derive(Debug)]
pub struct StoredReply {
    /// SHA-256 of the call.
    pub fingerprint: Vec<u8>,
    /// The request as it was answered.
    pub request: Request,
    /// The smart card as it was answered.
    pub smartcard: Option<Credential>,
}

/// What a batch writes, and the outcome of each member.
#[derive(Debug, Default)]
pub struct Writes {
    /// Changed requests, each at most once.
    pub changes: Vec<Change>,
    /// Changed profiles and cards, each at most once.
    pub credentials: CredentialRows,
    /// Replies of members that change nothing, to be stored under their keys.
    pub kept: Vec<KeptReply>,
    /// The outcome of each member. The store returns it after the commit.
    pub outcomes: Vec<Outcome>,
}

/// One change of one request.
#[derive(Debug)]
pub struct Change {
    /// The request after the change.
    pub request: Arc<Request>,
    /// Whether its row is new.
    pub is_new: bool,
    /// Type of the event.
    pub event_type: EventType,
    /// Time of the change.
    pub at: Timestamp,
    /// Ids of the call that caused it.
    pub trace: Trace,
    /// The encoded event, without its shard and position.
    pub payload: Bytes,
    /// The key to store with the change.
    pub key: Option<Idempotent>,
    /// The smart card to store under the key.
    pub smartcard: Option<Credential>,
}

/// The reply of a member that changes nothing, to be stored under its key.
#[derive(Debug)]
pub struct KeptReply {
    /// The key, with the fingerprint of the call that used it.
    pub idempotent: Idempotent,
    /// The request as it is answered.
    pub request: Arc<Request>,
    /// The smart card as it is answered.
    pub smartcard: Option<Credential>,
    /// When the key was used.
    pub at: Timestamp,
}

/// The outcome of one member of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// It is refused and writes nothing.
    Refused(Refusal),
    /// It changes nothing: the request already is as wanted, or the call repeats one that was answered before.
    Unchanged {
        /// The request as it is answered.
        request: Arc<Request>,
        /// The smart card as it is answered.
        smartcard: Option<Credential>,
    },
    /// It changes this request.
    Changed(RequestId),
}

/// A batch that was committed.
#[derive(Debug)]
pub struct Committed {
    /// What the batch wrote, with the outcome of each member.
    pub writes: Writes,
    /// The event of each change, in the order of the changes.
    pub events: Vec<LoggedEvent>,
}

impl Writes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.kept.is_empty() && self.credentials.is_empty()
    }

    /// Sorts the changes into the order in which the store locks rows: by request id.
    pub(super) fn in_lock_order(mut self) -> Self {
        self.changes.sort_by_key(|change| change.request.id);
        self
    }
}
