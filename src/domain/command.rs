//! Commands: the only way in which a request comes to be or changes.

use super::{
    Caller, Card, Comment, Creation, Credential, DataItem, IdempotencyKey, RequestId, SmartcardId, Standing, Timestamp,
    Version,
};

/// One wish of one caller about one request.
#[derive(Clone, Debug)]
pub struct Command {
    /// The request that it is about.
    pub request: RequestId,
    /// What is to happen.
    pub action: Action,
    /// Who wants it.
    pub caller: Caller,
    /// When it arrived.
    pub now: Timestamp,
    /// Act on this version only.
    pub expected: Option<Version>,
    /// Act once only, however often the caller asks.
    pub idempotent: Option<Idempotent>,
    /// W3C trace context of the call, passed on with the event.
    pub traceparent: Option<String>,
}

/// What is to happen to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bring it into being.
    Create(Box<Creation>),
    /// Approve it.
    Approve {
        /// What the approver says.
        comment: Comment,
        /// Items that the approver delivers.
        data_items: Vec<DataItem>,
    },
    /// Refuse approval.
    Deny {
        /// Why.
        comment: Comment,
    },
    /// Start its execution.
    Start {
        /// What the executor says.
        comment: Comment,
    },
    /// Bind a smart card to it, which alone may then be used for it.
    BindSmartcard {
        /// The card.
        card: Card,
        /// The id that it gets if it is new here. What is asked for is the same under another one.
        id: SmartcardId,
        /// What the executor says.
        comment: Comment,
    },
    /// Say where a smart card of the request stands.
    ChangeSmartcard {
        /// The card.
        smartcard: SmartcardId,
        /// Where it stands from now on.
        standing: Standing,
        /// What the executor says.
        comment: Comment,
    },
    /// End it well.
    Complete {
        /// What it produced.
        new: Credential,
        /// What the executor says.
        comment: Comment,
    },
    /// End it with an error.
    Fail {
        /// The error.
        comment: Comment,
    },
    /// Take it back.
    Cancel {
        /// Why.
        comment: Comment,
    },
    /// Give up its execution.
    Abandon {
        /// Why.
        comment: Comment,
    },
}

impl Action {
    /// Name in messages, as the rest of a sentence that ends with "the request".
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

/// What makes a command act once: the caller's key, and what the caller asked for under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotent {
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of what was asked.
    pub fingerprint: [u8; 32],
}
