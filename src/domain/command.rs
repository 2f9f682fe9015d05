//! Commands: the only way to create or change a request.

use std::sync::Arc;

use super::{
    Caller, Comment, Creation, CredentialIds, CredentialStatus, DataItem, IdempotencyKey, PhysicalCard, RequestId,
    SmartcardId, Timestamp, Trace, Version,
};

/// One command of one caller for one request.
#[derive(Clone, Debug)]
pub struct Command {
    /// The request to create or change.
    pub request: RequestId,
    /// The action.
    pub action: Action,
    /// The caller.
    pub caller: Arc<Caller>,
    /// Arrival time.
    pub now: Timestamp,
    /// Apply to this version only.
    pub expected: Option<Version>,
    /// Apply once, however often the caller repeats the call.
    pub idempotent: Option<Idempotent>,
    /// Ids of the call, copied to the event.
    pub trace: Trace,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create it.
    Create(Box<Creation>),
    /// Approve it.
    Approve {
        /// Comment of the approver.
        comment: Comment,
        /// Items delivered with the approval.
        data_items: Vec<DataItem>,
    },
    /// Deny it.
    Deny {
        /// Why.
        comment: Comment,
    },
    /// Start its execution.
    Start {
        /// Comment of the executor.
        comment: Comment,
    },
    /// Bind a smart card to it; the request then accepts no other card.
    BindSmartcard {
        /// The card.
        card: PhysicalCard,
        /// The id for a card that is not yet known. It is not part of what the caller asks for.
        id: SmartcardId,
        /// Comment of the executor.
        comment: Comment,
    },
    /// Change the status of a smart card of the request.
    ChangeSmartcard {
        /// The card.
        smartcard: SmartcardId,
        /// The new status.
        status: CredentialStatus,
        /// Comment of the executor.
        comment: Comment,
    },
    /// Complete it.
    Complete {
        /// The profile and card it issued.
        new: CredentialIds,
        /// Comment of the executor.
        comment: Comment,
    },
    /// Fail it.
    Fail {
        /// The error.
        comment: Comment,
    },
    /// Withdraw it.
    Cancel {
        /// Why.
        comment: Comment,
    },
    /// Abandon its execution.
    Abandon {
        /// Why.
        comment: Comment,
    },
}

impl Action {
    /// Verb phrase in messages; "the request" or "this request" follows it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Approve { .. } => "approve",
            Self::Deny { .. } => "deny",
            Self::Start { .. } => "start",
            Self::BindSmartcard { .. } => "bind a smart card to",
            Self::ChangeSmartcard { .. } => "change the smart card of",
            Self::Complete { .. } => "complete",
            Self::Fail { .. } => "fail",
            Self::Cancel { .. } => "cancel",
            Self::Abandon { .. } => "abandon",
        }
    }
}

/// The idempotency key of a command with a fingerprint of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotent {
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of the canonical form of the command.
    pub fingerprint: [u8; 32],
}
