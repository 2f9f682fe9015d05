//! The stored form of a request.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::credential::StoredCredentialIds;
use super::data_item::StoredDataItem;
use super::policy::StoredPolicy;
use super::state::{StoredState, StoredStep};
use super::template::StoredTemplateRef;
use super::vocabulary::{StoredMedium, StoredRequestType};
use super::{Document, FormVersion, Malformed};
use crate::domain::{Approval, Comment, DataItem, Priority, Request, RequestId, Timestamp, UserId, Version};

/// A request. Texts are borrowed when it is written and moved when it is read, so large data items are not copied.
#[derive(Serialize, Deserialize)]
struct StoredRequest<'a> {
    v: FormVersion<1>,
    id: Uuid,
    #[serde(rename = "type")]
    kind: StoredRequestType,
    originator: Uuid,
    target: Uuid,
    template: StoredTemplateRef,
    medium: StoredMedium,
    policy: StoredPolicy<'a>,
    priority: u8,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    comment: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    data_items: Vec<StoredDataItem<'a>>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    old: StoredCredentialIds,
    #[serde(default, skip_serializing_if = "super::is_default")]
    new: StoredCredentialIds,
    descriptor: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    approvals: Vec<StoredStep<'a>>,
    state: StoredState<'a>,
    submitted_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    version: u32,
}

impl Document for Request {
    fn encode(&self) -> serde_json::Result<String> {
        serde_json::to_string(&StoredRequest::from(self))
    }

    fn decode(text: &str) -> Result<Self, Malformed> {
        serde_json::from_str::<StoredRequest<'_>>(text)?.try_into()
    }
}

impl<'a> From<&'a Request> for StoredRequest<'a> {
    fn from(request: &'a Request) -> Self {
        let Request {
            id,
            kind,
            originator,
            target,
            template,
            medium,
            policy,
            priority,
            comment,
            data_items,
            old,
            new,
            descriptor,
            approvals,
            state,
            submitted_at,
            changed_at,
            version,
        } = request;
        Self {
            v: FormVersion,
            id: id.uuid(),
            kind: (*kind).into(),
            originator: originator.uuid(),
            target: target.uuid(),
            template: (*template).into(),
            medium: (*medium).into(),
            policy: policy.as_ref().into(),
            priority: priority.0,
            comment: comment.as_str().into(),
            data_items: data_items.iter().map(StoredDataItem::from).collect(),
            old: (*old).into(),
            new: (*new).into(),
            descriptor: descriptor.as_str().into(),
            approvals: approvals.iter().map(StoredStep::from).collect(),
            state: state.into(),
            submitted_at: submitted_at.utc(),
            changed_at: changed_at.utc(),
            version: version.get(),
        }
    }
}

impl TryFrom<StoredRequest<'_>> for Request {
    type Error = Malformed;

    fn try_from(stored: StoredRequest<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            id: RequestId::new(stored.id),
            kind: stored.kind.into(),
            originator: UserId::new(stored.originator),
            target: UserId::new(stored.target),
            template: stored.template.into(),
            medium: stored.medium.into(),
            policy: Arc::new(stored.policy.try_into()?),
            priority: Priority(stored.priority),
            comment: Comment::unchecked(stored.comment.into_owned()),
            data_items: stored.data_items.into_iter().map(DataItem::try_from).collect::<Result<_, _>>()?,
            old: stored.old.into(),
            new: stored.new.into(),
            descriptor: stored.descriptor.into_owned(),
            approvals: stored.approvals.into_iter().map(Approval::from).collect(),
            state: stored.state.into(),
            submitted_at: Timestamp::new(stored.submitted_at),
            changed_at: Timestamp::new(stored.changed_at),
            version: Version::new(stored.version),
        })
    }
}
