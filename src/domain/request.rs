//! The request: everything that is known of it at one version.

use std::fmt;
use std::sync::Arc;

use super::{
    Actor, Comment, Credential, DataItem, Medium, Policy, Priority, Provider, RequestId, RequestType, State, Status,
    TemplateId, Timestamp, UserId,
};

/// A request at one version. It is a snapshot: a change makes a new one.
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
    /// Whether it is about a card or a software profile.
    pub medium: Medium,
    /// The policy in force, as it was at creation.
    pub policy: Arc<Policy>,
    /// Urgency.
    pub priority: Priority,
    /// Comment given at creation.
    pub comment: Comment,
    /// Data items collected so far.
    pub data_items: Vec<DataItem>,
    /// What the request is about.
    pub old: Credential,
    /// What it produced, or keeps.
    pub new: Credential,
    /// Security descriptor in SDDL; set at creation, never changed.
    pub descriptor: String,
    /// Approvals given, each by another person.
    pub approvals: Vec<Approval>,
    /// Where it stands.
    pub state: State,
    /// When it was created.
    pub submitted_at: Timestamp,
    /// When it changed last.
    pub changed_at: Timestamp,
    /// Number of changes, from 1.
    pub version: Version,
}

/// A template at one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateRef {
    /// The template.
    pub id: TemplateId,
    /// Its version, from 1.
    pub version: u32,
}

/// One approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who approved.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// What was said with it.
    pub comment: Comment,
}

/// An execution that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Who started it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// The number of changes of a request, from 1; equal to the number of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// The version of a new request.
    pub const FIRST: Self = Self(1);

    /// The version with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The tag of a version as callers see it (AIP-154; `ETag` of RFC 9110 when quoted).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag(Version);

impl ETag {
    /// Reads a tag that this service gave out; `None` if it never did.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.strip_prefix('v')?;
        let canonical = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        canonical.then(|| number.parse().ok()).flatten().map(|number| Self(Version(number)))
    }

    /// The version that the tag stands for.
    #[must_use]
    pub const fn version(self) -> Version {
        self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl Request {
    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// The tag of this version.
    #[must_use]
    pub const fn etag(&self) -> ETag {
        ETag(self.version)
    }

    /// Whether both parties have delivered the data items that the policy asks of them.
    #[must_use]
    pub fn is_data_collection_complete(&self) -> bool {
        self.is_provided_by(Provider::Subscriber) && self.is_provided_by(Provider::CertificateManager)
    }

    /// Whether one party has delivered the data items that the policy asks of it.
    #[must_use]
    pub fn is_provided_by(&self, provider: Provider) -> bool {
        self.policy.is_provided_by(provider, &self.data_items)
    }

    /// Whether the user created the request or is its target, and so may not judge it.
    #[must_use]
    pub fn is_party(&self, user: UserId) -> bool {
        user == self.originator || user == self.target
    }
}

#[cfg(test)]
mod tests {
    use super::{ETag, Version};

    #[test]
    fn a_tag_that_was_given_out_is_understood() {
        for number in [1, 9, 10, u32::MAX] {
            let tag = ETag(Version::new(number));
            assert_eq!(ETag::parse(&tag.to_string()), Some(tag));
        }
    }

    #[test]
    fn a_tag_that_was_never_given_out_is_not_understood() {
        for text in
            ["", "v", "1", "V1", "v0", "v01", "v+1", "v-1", "v1 ", " v1", "\"v1\"", "W/\"v1\"", "v4294967296", "*"]
        {
            assert_eq!(ETag::parse(text), None, "{text:?}");
        }
    }
}
