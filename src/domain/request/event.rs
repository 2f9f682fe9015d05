//! Events: the record of each change in the log and on the topic.

use std::sync::Arc;

use crate::domain::{Actor, Comment, Credential, Request, Status, Timestamp, Trace};

/// One change of one request. Each version of a request has exactly one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub event_type: EventType,
    /// The request after the change.
    pub request: Arc<Request>,
    /// Its status before; `None` for a new request.
    pub previous: Option<Status>,
    /// Who made the change.
    pub actor: Actor,
    /// Time of the change; never before that of the previous event.
    pub at: Timestamp,
    /// Comment given with the change.
    pub comment: Comment,
    /// Profiles and smart cards that the change created or updated, after the change.
    pub credentials: Vec<Credential>,
    /// Ids of the call that made the change.
    pub trace: Trace,
}

/// What happened to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// It was created.
    Created,
    /// An approval was recorded; more are required.
    ApprovalRecorded,
    /// The last required approval was recorded.
    Approved,
    /// Approval was refused.
    Denied,
    /// Execution was started.
    Started,
    /// A smart card was bound to it.
    SmartcardBound,
    /// The status of its smart card changed.
    SmartcardChanged,
    /// It was completed.
    Completed,
    /// It failed.
    Failed,
    /// It was canceled.
    Canceled,
}

impl EventType {
    /// Every type.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::ApprovalRecorded,
        Self::Approved,
        Self::Denied,
        Self::Started,
        Self::SmartcardBound,
        Self::SmartcardChanged,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
    ];

    /// Type of the CloudEvent (`ce_type`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "cmgate.request.created.v1",
            Self::ApprovalRecorded => "cmgate.request.approval_recorded.v1",
            Self::Approved => "cmgate.request.approved.v1",
            Self::Denied => "cmgate.request.denied.v1",
            Self::Started => "cmgate.request.started.v1",
            Self::SmartcardBound => "cmgate.request.smartcard_bound.v1",
            Self::SmartcardChanged => "cmgate.request.smartcard_changed.v1",
            Self::Completed => "cmgate.request.completed.v1",
            Self::Failed => "cmgate.request.failed.v1",
            Self::Canceled => "cmgate.request.canceled.v1",
        }
    }
}
