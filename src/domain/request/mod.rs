//! The request and its parts.

use std::sync::Arc;

use super::{
    Actor, Comment, CredentialIds, Medium, Policy, Priority, Provider, RequestId, TemplateRef, Timestamp, UserId,
};

mod creation;
mod data_item;
mod descriptor;
mod draft;
mod event;
mod request_type;
mod state;
mod status;
mod version;

pub use creation::Creation;
pub use data_item::{DataItem, merge_items};
pub use draft::{Draft, Origin, create, offered};
pub use event::{Event, EventType};
pub use request_type::{AgentRule, CredentialEffect, RequestType};
pub use state::{CancelReason, Conclusion, Execution, FailReason, State};
pub use status::Status;
pub use version::{ETag, Version};

/// A request at one version. It is an immutable snapshot; every change produces a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Identifier.
    pub id: RequestId,
    /// What is asked for.
    pub kind: RequestType,
    /// Who created it.
    pub originator: UserId,
    /// For whom.
    pub target: UserId,
    /// Template and its version at creation.
    pub template: TemplateRef,
    /// Smart card or software profile.
    pub medium: Medium,
    /// The policy in force at creation.
    pub policy: Arc<Policy>,
    /// Urgency.
    pub priority: Priority,
    /// Comment given at creation.
    pub comment: Comment,
    /// Data items collected so far.
    pub data_items: Vec<DataItem>,
    /// The profile and card that the request concerns.
    pub old: CredentialIds,
    /// The profile and card that it issued or keeps.
    pub new: CredentialIds,
    /// Security descriptor in SDDL; set at creation, never changed.
    pub descriptor: String,
    /// Approvals given, each by another person.
    pub approvals: Vec<Approval>,
    /// Current state.
    pub state: State,
    /// When it was created.
    pub submitted_at: Timestamp,
    /// When it changed last.
    pub changed_at: Timestamp,
    /// Number of changes, from 1.
    pub version: Version,
}

/// One approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who approved.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Comment of the approver.
    pub comment: Comment,
}

impl Request {
    /// Current state.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// The tag of this version.
    #[must_use]
    pub const fn etag(&self) -> ETag {
        ETag::of(self.version)
    }

    /// Whether both parties have delivered every data item that the policy requests from them.
    #[must_use]
    pub fn is_data_collection_complete(&self) -> bool {
        self.is_provided_by(Provider::Subscriber) && self.is_provided_by(Provider::CertificateManager)
    }

    /// Whether one party has delivered every data item that the policy requests from it.
    #[must_use]
    pub fn is_provided_by(&self, provider: Provider) -> bool {
        self.policy.is_provided_by(provider, &self.data_items)
    }

    /// Whether the user is the originator or the target, who may not approve or deny the request.
    #[must_use]
    pub fn is_party(&self, user: UserId) -> bool {
        user == self.originator || user == self.target
    }
}
