//! The terms between a store and the caller that decides a batch: what to lock, what was found, what to write.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{CredentialRows, LoggedEvent};
use crate::domain::{
    Credential, Credentials, EventType, IdempotencyKey, Idempotent, LockSet, Refusal, Request, RequestId, Timestamp,
};

/// A batch that its caller decides while the store holds the rows that it needs.
pub trait Decide: Send + Sync {
    /// Whose connections the transaction uses.
    fn workload(&self) -> Workload;

    /// The rows that each member names, in the order of the members.
    fn members(&self) -> Vec<MemberRows<'_>>;

    /// The profiles and cards to lock, once the requests are locked.
    fn lock_set(&self, requests: &HashMap<RequestId, Request>) -> LockSet;

    /// What to write. A transaction that conflicts with another one is retried, so this can be called more than once.
    fn decide(&self, rows: LockedRows) -> Writes;

    /// What to write if that depends on no stored row but the keys, of which none was used before. A conflict shows that one
    /// was; the batch is then decided over locked rows.
    fn decide_unread(&self) -> Option<Writes>;
}

/// Whose work a transaction is. Each has connections of its own, so that one does not wait for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Commands about requests.
    Commands,
    /// An import of profiles and cards.
    Import,
}

/// The rows that one member of a batch names.
#[derive(Clone, Copy, Debug)]
pub struct MemberRows<'b> {
    /// The stored request that it changes; `None` for a new one.
    pub request: Option<RequestId>,
    /// Its idempotency key.
    pub key: Option<&'b IdempotencyKey>,
}

/// What a batch found, locked until its transaction ends. Keys are not locked; a key that another batch adds meanwhile is a
/// conflict.
#[derive(Debug, Default)]
pub struct LockedRows {
    /// Requests that exist.
    pub requests: HashMap<RequestId, Request>,
    /// Profiles and cards that exist.
    pub credentials: Credentials,
    /// Keys that were used before.
    pub keys: HashMap<IdempotencyKey, StoredReply>,
}

/// The reply that is kept under an idempotency key.
#[derive(Debug)]
pub struct StoredReply {
    /// SHA-256 of what was asked.
    pub fingerprint: Vec<u8>,
    /// The request as it was answered.
    pub request: Request,
    /// The smart card as it was answered.
    pub smartcard: Option<Credential>,
}

/// What a batch writes, and what becomes of each of its members.
#[derive(Debug, Default)]
pub struct Writes {
    /// Changed requests, each at most once.
    pub changes: Vec<Change>,
    /// Profiles and cards.
    pub credentials: CredentialRows,
    /// Replies of members that change nothing, to be kept under their keys.
    pub kept: Vec<KeptReply>,
    /// What becomes of each member. The store hands this back after the commit.
    pub outcomes: Vec<Outcome>,
}

/// One change of one request.
#[derive(Debug)]
pub struct Change {
    /// The request after it.
    pub request: Arc<Request>,
    /// Whether its row is new.
    pub is_new: bool,
    /// What happened.
    pub event_type: EventType,
    /// When.
    pub at: Timestamp,
    /// W3C trace context of the call that caused it.
    pub traceparent: Option<String>,
    /// The encoded event, without its shard and position.
    pub payload: Bytes,
    /// The key to keep with it.
    pub key: Option<Idempotent>,
    /// The smart card to keep under the key.
    pub smartcard: Option<Credential>,
}

/// The reply of a member that changes nothing, to be kept under its key.
#[derive(Debug)]
pub struct KeptReply {
    /// The key.
    pub idempotent: Idempotent,
    /// The request as it is answered.
    pub request: Arc<Request>,
    /// The smart card as it is answered.
    pub smartcard: Option<Credential>,
    /// When the key was used.
    pub at: Timestamp,
}

/// What becomes of one member of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// It is refused.
    Refused(Refusal),
    /// It changes nothing: the request is as it wants it, or it is a retry of a call that was answered before.
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
    /// What was written.
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

    /// The same with the changes in the order in which the store locks rows: by request id.
    pub(super) fn in_lock_order(mut self) -> Self {
        self.changes.sort_by_key(|change| change.request.id);
        self
    }
}
