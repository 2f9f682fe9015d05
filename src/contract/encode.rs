//! Encodes requests and events as messages of the contract.

use prost::Message;
use prost_types::Timestamp as ProtoTimestamp;

use super::credential::{credential, credential_ids};
use super::v1;
use crate::domain::{
    Actor, Approval, CancelReason, Conclusion, DataItem, Event, EventType, Execution, FailReason, Medium, Position,
    Request, RequestType, Shard, State, Status, Timestamp,
};

/// Encodes an event for the log: without shard and position, which are assigned at the write.
pub(super) fn event(event: &Event) -> v1::RequestEvent {
    v1::RequestEvent {
        r#type: event_type(event.event_type).into(),
        request: Some(request(&event.request)),
        previous_status: event.previous.map_or(v1::RequestStatus::Unspecified, status).into(),
        actor: Some(actor(&event.actor)),
        time: Some(time(event.at)),
        comment: event.comment.as_str().to_owned(),
        credentials: event.credentials.iter().map(credential).collect(),
        shard: 0,
        position: 0,
    }
}

/// A logged event as it is published: with shard and position. A protobuf message can be extended by appending fields.
#[must_use]
pub fn with_position(payload: &[u8], shard: Shard, position: Position) -> Vec<u8> {
    let position =
        v1::RequestEvent { shard: shard.number().into(), position: position.get(), ..v1::RequestEvent::default() };
    let mut value = Vec::with_capacity(payload.len() + position.encoded_len());
    value.extend_from_slice(payload);
    value.extend(position.encode_to_vec());
    value
}

/// Encodes a request.
#[must_use]
pub fn request(request: &Request) -> v1::Request {
    v1::Request {
        id: request.id.to_string(),
        r#type: request_type(request.kind).into(),
        status: status(request.status()).into(),
        originator: request.originator.to_string(),
        target: request.target.to_string(),
        profile_template: request.template.id.to_string(),
        profile_template_version: request.template.version,
        is_smartcard: request.medium == Medium::Smartcard,
        is_enrollment_agent: request.policy.enrollment_agent_required,
        priority: request.priority.0.into(),
        comment: request.comment.as_str().to_owned(),
        data_items: request.data_items.iter().map(data_item).collect(),
        is_data_collection_complete: request.is_data_collection_complete(),
        old_credential: credential_ids(request.old),
        new_credential: credential_ids(request.new),
        approvals_needed: request.policy.approvals_needed.into(),
        approvals: request.approvals.iter().map(approval).collect(),
        execution: request.state.execution().map(execution),
        conclusion: request.state.conclusion().map(|end| conclusion(end, reason(&request.state))),
        submit_time: Some(time(request.submitted_at)),
        update_time: Some(time(request.changed_at)),
        version: request.version.get(),
        etag: request.etag().to_string(),
    }
}

fn data_item(item: &DataItem) -> v1::DataItem {
    v1::DataItem { name: item.name().to_owned(), value: item.value().map(str::to_owned) }
}

fn approval(approval: &Approval) -> v1::Approval {
    v1::Approval {
        actor: Some(actor(&approval.actor)),
        time: Some(time(approval.at)),
        comment: approval.comment.as_str().to_owned(),
    }
}

fn execution(execution: &Execution) -> v1::Execution {
    v1::Execution { actor: Some(actor(&execution.actor)), time: Some(time(execution.at)) }
}

fn conclusion(conclusion: &Conclusion, reason: v1::ConclusionReason) -> v1::Conclusion {
    v1::Conclusion {
        actor: Some(actor(&conclusion.actor)),
        time: Some(time(conclusion.at)),
        reason: reason.into(),
        comment: conclusion.comment.as_str().to_owned(),
    }
}

fn actor(actor: &Actor) -> v1::Actor {
    v1::Actor { user: actor.user.to_string(), name: actor.name.clone() }
}

/// Encodes a time.
pub(super) fn time(time: Timestamp) -> ProtoTimestamp {
    let micros = time.micros();
    #[expect(clippy::cast_possible_truncation, reason = "less than a billion")]
    let nanos = (micros.rem_euclid(1_000_000) * 1_000) as i32;
    ProtoTimestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

const fn reason(state: &State) -> v1::ConclusionReason {
    match state {
        State::Pending | State::Approved | State::Executing { .. } | State::Completed { .. } | State::Denied { .. } => {
            v1::ConclusionReason::Unspecified
        }
        State::Failed { reason: FailReason::Error, .. } => v1::ConclusionReason::Error,
        State::Failed { reason: FailReason::Abandoned, .. } => v1::ConclusionReason::Abandoned,
        State::Canceled { reason: CancelReason::Withdrawn, .. } => v1::ConclusionReason::Withdrawn,
    }
}

/// Encodes a status.
#[must_use]
pub const fn status(status: Status) -> v1::RequestStatus {
    match status {
        Status::Pending => v1::RequestStatus::Pending,
        Status::Approved => v1::RequestStatus::Approved,
        Status::Executing => v1::RequestStatus::Executing,
        Status::Completed => v1::RequestStatus::Completed,
        Status::Denied => v1::RequestStatus::Denied,
        Status::Failed => v1::RequestStatus::Failed,
        Status::Canceled => v1::RequestStatus::Canceled,
    }
}

/// Encodes a request type.
#[must_use]
pub const fn request_type(kind: RequestType) -> v1::RequestType {
    match kind {
        RequestType::Enroll => v1::RequestType::Enroll,
        RequestType::Recover => v1::RequestType::Recover,
        RequestType::Renew => v1::RequestType::Renew,
        RequestType::Disable => v1::RequestType::Disable,
        RequestType::Unblock => v1::RequestType::Unblock,
        RequestType::Duplicate => v1::RequestType::Duplicate,
        RequestType::Retire => v1::RequestType::Retire,
        RequestType::RecoverOnBehalf => v1::RequestType::RecoverOnBehalf,
        RequestType::SuspendOrReinstate => v1::RequestType::SuspendOrReinstate,
        RequestType::OnlineUpdate => v1::RequestType::OnlineUpdate,
        RequestType::TemporaryCardEnroll => v1::RequestType::TemporaryCardEnroll,
        RequestType::OfflineUnblock => v1::RequestType::OfflineUnblock,
    }
}

/// Encodes an event type.
#[must_use]
pub const fn event_type(event_type: EventType) -> v1::RequestEventType {
    match event_type {
        EventType::Created => v1::RequestEventType::Created,
        EventType::ApprovalRecorded => v1::RequestEventType::ApprovalRecorded,
        EventType::Approved => v1::RequestEventType::Approved,
        EventType::Denied => v1::RequestEventType::Denied,
        EventType::Started => v1::RequestEventType::Started,
        EventType::SmartcardBound => v1::RequestEventType::SmartcardBound,
        EventType::SmartcardChanged => v1::RequestEventType::SmartcardChanged,
        EventType::Completed => v1::RequestEventType::Completed,
        EventType::Failed => v1::RequestEventType::Failed,
        EventType::Canceled => v1::RequestEventType::Canceled,
    }
}
