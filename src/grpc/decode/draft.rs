//! Drafts of new requests, alone or in a batch.

use super::fields;
use crate::contract::v1;
use crate::domain::{Draft, IdempotencyKey, Priority, Refusal, Sid, TemplateId, Upn, UserId, UserName};
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
    let target = target(violations, path, &draft);
    let old = fields::credential_ids(violations, at("old_credential"), draft.old_credential.as_ref());
    let data_items = fields::data_items(violations, &at("data_items"), draft.data_items);
    let comment = fields::comment(violations, &at("comment"), draft.comment);
    let priority = draft.priority.and_then(|number| priority(violations, &at("priority"), number));
    Some(Draft { kind: kind?, template, target, old, data_items, comment: comment?, priority })
}

/// The target, which at most one field names.
fn target(violations: &mut Violations, path: &str, draft: &v1::RequestDraft) -> Option<UserName> {
    let v1::RequestDraft { target, target_sid, target_upn, .. } = draft;
    if [target, target_sid, target_upn].iter().filter(|name| !name.is_empty()).count() > 1 {
        violations
            .add(format!("{path}.target"), "must be absent if target_sid or target_upn is given, and only one may be");
        return None;
    }
    if !target_sid.is_empty() {
        violations.keep(Sid::parse_in(&format!("{path}.target_sid"), target_sid)).map(UserName::Sid)
    } else if !target_upn.is_empty() {
        violations.keep(Upn::parse_in(&format!("{path}.target_upn"), target_upn)).map(UserName::Upn)
    } else {
        fields::optional_uuid(violations, format!("{path}.target"), target, UserId::new).map(UserName::Id)
    }
}

fn priority(violations: &mut Violations, field: &str, number: u32) -> Option<Priority> {
    let priority = u8::try_from(number).ok().map(Priority);
    if priority.is_none() {
        violations.add(field, "must be 0 to 255");
    }
    priority
}
