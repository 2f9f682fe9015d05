//! Steps of the life cycle. Every message has the request's id, an etag and an idempotency key; the rest depends on the action.

use super::fields;
use crate::contract::v1;
use crate::domain::{
    Action, Atr, Comment, IdempotencyKey, Refusal, RequestId, SerialNumber, SmartcardId, UserId, Version,
};
use crate::service::Violations;

/// A step of a request.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) id: RequestId,
    pub(crate) action: Action,
    pub(crate) expected: Option<Version>,
    pub(crate) key: Option<IdempotencyKey>,
}

/// The fields that all steps have.
#[derive(Clone, Copy)]
struct Head<'a> {
    id: &'a str,
    etag: &'a str,
    idempotency_key: &'a str,
}

pub(crate) fn approve(user: UserId, message: v1::ApproveRequestRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    step(user, head, |violations| {
        let data_items = fields::data_items(violations, "data_items", message.data_items);
        let comment = fields::comment(violations, "comment", message.comment)?;
        Some(Action::Approve { comment, data_items })
    })
}

pub(crate) fn deny(user: UserId, message: v1::DenyRequestRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    commented(user, head, message.comment, |comment| Action::Deny { comment })
}

pub(crate) fn start(user: UserId, message: v1::StartRequestRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    commented(user, head, message.comment, |comment| Action::Start { comment })
}

/// A smart card to bind to a request. The service assigns the card's id.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) id: RequestId,
    pub(crate) serial_number: SerialNumber,
    pub(crate) atr: Atr,
    pub(crate) comment: Comment,
    pub(crate) expected: Option<Version>,
    pub(crate) key: Option<IdempotencyKey>,
}

pub(crate) fn bind(user: UserId, message: v1::BindSmartcardRequest) -> Result<Binding, Refusal> {
    let mut violations = Violations::default();
    let id = fields::uuid(&mut violations, "id", &message.id, RequestId::new);
    let serial_number = violations.keep(SerialNumber::parse("serial_number", &message.serial_number));
    let atr = violations.keep(Atr::parse("atr", &message.atr));
    let comment = fields::comment(&mut violations, "comment", message.comment);
    let expected = fields::etag(&mut violations, &message.etag);
    let key = fields::key(&mut violations, "idempotency_key", user, &message.idempotency_key);
    let parts = id.zip(serial_number).zip(atr.zip(comment));
    let binding =
        parts.map(|((id, serial_number), (atr, comment))| Binding { id, serial_number, atr, comment, expected, key });
    violations.finish(binding)
}

pub(crate) fn change_smartcard(user: UserId, message: v1::ChangeSmartcardRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    step(user, head, |violations| {
        let smartcard = fields::uuid(violations, "smartcard", &message.smartcard, SmartcardId::new);
        let status = fields::credential_status(violations, "status", message.status);
        let comment = fields::comment(violations, "comment", message.comment)?;
        Some(Action::ChangeSmartcard { smartcard: smartcard?, status: status?, comment })
    })
}

pub(crate) fn complete(user: UserId, message: v1::CompleteRequestRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    step(user, head, |violations| {
        let new = fields::credential_ids(violations, "new_credential", message.new_credential.as_ref());
        let comment = fields::comment(violations, "comment", message.comment)?;
        Some(Action::Complete { new, comment })
    })
}

pub(crate) fn fail(user: UserId, message: v1::FailRequestRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    step(user, head, |violations| {
        if message.comment.is_empty() {
            violations.add("comment", "must say what went wrong");
        }
        Some(Action::Fail { comment: fields::comment(violations, "comment", message.comment)? })
    })
}

pub(crate) fn cancel(user: UserId, message: v1::CancelRequestRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    commented(user, head, message.comment, |comment| Action::Cancel { comment })
}

pub(crate) fn abandon(user: UserId, message: v1::AbandonRequestRequest) -> Result<Step, Refusal> {
    let head = Head { id: &message.id, etag: &message.etag, idempotency_key: &message.idempotency_key };
    commented(user, head, message.comment, |comment| Action::Abandon { comment })
}

/// The id of a request.
pub(crate) fn id(text: &str) -> Result<RequestId, Refusal> {
    let mut violations = Violations::default();
    let id = fields::uuid(&mut violations, "id", text, RequestId::new);
    violations.finish(id)
}

fn commented(
    user: UserId,
    head: Head<'_>,
    comment: String,
    action: impl FnOnce(Comment) -> Action,
) -> Result<Step, Refusal> {
    step(user, head, |violations| fields::comment(violations, "comment", comment).map(action))
}

fn step(user: UserId, head: Head<'_>, action: impl FnOnce(&mut Violations) -> Option<Action>) -> Result<Step, Refusal> {
    let mut violations = Violations::default();
    let id = fields::uuid(&mut violations, "id", head.id, RequestId::new);
    let action = action(&mut violations);
    let expected = fields::etag(&mut violations, head.etag);
    let key = fields::key(&mut violations, "idempotency_key", user, head.idempotency_key);
    let step = id.zip(action).map(|(id, action)| Step { id, action, expected, key });
    violations.finish(step)
}
