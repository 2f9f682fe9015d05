//! Drafts of new requests, alone or in a batch.

use super::fields;
use crate::contract::v1;
use crate::domain::{Draft, IdempotencyKey, Priority, Refusal, TemplateId, UserId};
use crate::service::Violations;

/// Most members of a batch.
const MEMBERS_MAX: usize = 100;

/// A request to create.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) draft: Draft,
    pub(crate) key: Option<IdempotencyKey>,
}

/// Decodes a creation. `path` is the path of `message` in the call: empty, or `requests[3].`.
pub(crate) fn creation(user: UserId, path: &str, message: v1::CreateRequestRequest) -> Result<Creation, Refusal> {
    let mut violations = Violations::default();
    let draft = if let Some(message) = message.draft {
        draft(&mut violations, &format!("{path}draft"), message)
    } else {
        violations.add(format!("{path}draft"), "must be given");
        None
    };
    let key = fields::key(&mut violations, &format!("{path}idempotency_key"), user, &message.idempotency_key);
    violations.finish(draft.map(|draft| Creation { draft, key }))
}

/// The members of a batch, to be decoded one by one: an invalid member does not affect the others.
pub(crate) fn members(message: v1::BatchCreateRequestsRequest) -> Result<Vec<v1::CreateRequestRequest>, Refusal> {
    if (1..=MEMBERS_MAX).contains(&message.requests.len()) {
        Ok(message.requests)
    } else {
        Err(Refusal::invalid("requests", format!("must have 1 to {MEMBERS_MAX} members")))
    }
}

fn draft(violations: &mut Violations, path: &str, draft: v1::RequestDraft) -> Option<Draft> {
    let at = |field: &str| format!("{path}.{field}");
    let kind = fields::request_type(violations, at("type"), draft.r#type);
    let template = fields::optional_uuid(violations, at("profile_template"), &draft.profile_template, TemplateId::new);
    let target = fields::optional_uuid(violations, at("target"), &draft.target, UserId::new);
    let old = fields::credential_ids(violations, at("old_credential"), draft.old_credential.as_ref());
    let data_items = fields::data_items(violations, &at("data_items"), draft.data_items);
    let comment = fields::comment(violations, &at("comment"), draft.comment);
    let priority = draft.priority.and_then(|number| priority(violations, &at("priority"), number));
    Some(Draft { kind: kind?, template, target, old, data_items, comment: comment?, priority })
}

fn priority(violations: &mut Violations, field: &str, number: u32) -> Option<Priority> {
    let priority = u8::try_from(number).ok().map(Priority);
    if priority.is_none() {
        violations.add(field, "must be 0 to 255");
    }
    priority
}
