//! Drafts: the choices of the creator, and the checks that turn a draft into a request.

use std::sync::Arc;

use super::descriptor::descriptor;
use crate::domain::{
    Caller, Comment, Credential, CredentialEffect, CredentialIds, DataItem, Policy, Priority, ProfileTemplate, Refusal,
    Request, RequestId, RequestType, Sid, State, TemplateId, TemplateRef, Timestamp, UserId, UserName, Version,
    merge_items,
};

/// The choices of the creator of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Request type.
    pub kind: RequestType,
    /// The template; optional if `old` names a known profile or card.
    pub template: Option<TemplateId>,
    /// The target; defaults to the owner of the credential, else the caller.
    pub target: Option<UserName>,
    /// The profile and card that the request concerns.
    pub old: CredentialIds,
    /// Data items delivered at creation.
    pub data_items: Vec<DataItem>,
    /// Comment of the creator.
    pub comment: Comment,
    /// Priority; defaults to that of the policy.
    pub priority: Option<Priority>,
}

/// The context of a draft: template, credential, caller and time.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Id of the new request.
    pub id: RequestId,
    /// Who creates it.
    pub caller: &'a Caller,
    /// When.
    pub now: Timestamp,
    /// The template named by the draft or by its credential.
    pub template: &'a ProfileTemplate,
    /// Its version.
    pub template_version: u32,
    /// The profile or card that the draft names, if it is known.
    pub credential: Option<&'a Credential>,
    /// The user whom the draft names as its target.
    pub target: Option<UserId>,
    /// Account of the service, the owner of every descriptor.
    pub service: &'a Sid,
}

/// Builds a request from a draft; [`super::Creation`] looks up its template and credential.
///
/// # Errors
/// The [`Refusal`] for the caller: the template does not accept this type, the caller may not create the request, the
/// credential is missing, not allowed or inconsistent with the draft, or a data item is duplicated, malformed or missing.
pub fn create(draft: &Draft, origin: Origin<'_>) -> Result<Request, Refusal> {
    let caller = origin.caller;
    let policy = policy(draft.kind, origin.template)?;
    let target = origin.target.or(origin.credential.map(|credential| credential.owner)).unwrap_or(caller.user);
    authorize_creation(policy, caller, target)?;
    let old = credential_of(draft, origin.credential)?;
    agree_with_credential(draft.kind, target, origin)?;
    let new = match draft.kind.effect() {
        CredentialEffect::Keeps => old,
        CredentialEffect::Makes | CredentialEffect::Replaces => CredentialIds::NONE,
    };
    let delivered = merge_items("data_items", &[], &draft.data_items)?;
    policy.check_delivered("data_items", &draft.data_items)?;
    let state = if policy.approvals_needed == 0 {
        policy.check_complete("data_items", &delivered)?;
        State::Approved
    } else {
        State::Pending
    };
    let data_items = if old.is_none() { delivered } else { with_open_items(policy, delivered) };
    let target_sid = if target == caller.user { caller.sid.as_ref() } else { None };

    Ok(Request {
        id: origin.id,
        kind: draft.kind,
        originator: caller.user,
        target,
        template: TemplateRef { id: origin.template.id, version: origin.template_version },
        medium: origin.template.medium,
        policy: Arc::clone(policy),
        priority: draft.priority.unwrap_or(policy.default_priority),
        comment: draft.comment.clone(),
        data_items,
        old,
        new,
        descriptor: descriptor(origin.service, policy, caller.sid.as_ref(), target_sid),
        approvals: Vec::new(),
        state,
        submitted_at: origin.now,
        changed_at: origin.now,
        version: Version::FIRST,
    })
}

/// The request types that the caller may create for a known credential, in the order of their numbers.
#[must_use]
pub fn offered(caller: &Caller, credential: &Credential, template: &ProfileTemplate) -> Vec<RequestType> {
    let is_offered = |kind: &RequestType| {
        let permitted = policy(*kind, template).and_then(|policy| authorize_creation(policy, caller, credential.owner));
        permitted.is_ok() && credential.status.takes(*kind)
    };
    RequestType::ALL.into_iter().filter(is_offered).collect()
}

fn policy(kind: RequestType, template: &ProfileTemplate) -> Result<&Arc<Policy>, Refusal> {
    if kind.needs_smartcard() && template.medium == crate::domain::Medium::Software {
        return Err(Refusal::SmartcardOnly { template: template.name.clone(), kind });
    }
    match template.policies.get(&kind) {
        Some(policy) if policy.enabled => Ok(policy),
        _ => Err(Refusal::WorkflowDisabled { template: template.name.clone(), kind }),
    }
}

/// Checks that the policy lets the caller create the request for the target.
fn authorize_creation(policy: &Policy, caller: &Caller, target: UserId) -> Result<(), Refusal> {
    let only = |allowed| Err(Refusal::NotPermitted { action: "create", allowed });
    if target == caller.user {
        if policy.self_service { Ok(()) } else { only("an initiator other than the target") }
    } else if caller.is_among(&policy.initiators) {
        Ok(())
    } else {
        only("an initiator named in the policy or the target")
    }
}

/// The ids that the request concerns: none for a type that issues something new, else those of the known credential or of the
/// draft.
fn credential_of(draft: &Draft, known: Option<&Credential>) -> Result<CredentialIds, Refusal> {
    let field = "old_credential";
    if known.is_some_and(|credential| !credential.credential_ids().agrees_with(&draft.old)) {
        return Err(Refusal::invalid(field, "names a profile and a smart card that do not belong together"));
    }
    match draft.kind.effect() {
        CredentialEffect::Makes if draft.kind == RequestType::TemporaryCardEnroll => {
            // A temporary card may be linked to the permanent card that it replaces for a while.
            Ok(known.map_or(draft.old, Credential::credential_ids))
        }
        CredentialEffect::Makes if draft.old.is_none() => Ok(CredentialIds::NONE),
        CredentialEffect::Makes => {
            Err(Refusal::invalid(field, format!("must be absent in a request of type {}", draft.kind.name())))
        }
        CredentialEffect::Keeps | CredentialEffect::Replaces if draft.old.is_none() => Err(Refusal::invalid(
            field,
            format!("must name the profile or smart card that a request of type {} is about", draft.kind.name()),
        )),
        CredentialEffect::Keeps | CredentialEffect::Replaces => Ok(known.map_or(draft.old, Credential::credential_ids)),
    }
}

/// Requires the owner as the target and the template of the credential. Otherwise the creator could choose the executor and
/// the approvers.
fn agree_with_credential(kind: RequestType, target: UserId, origin: Origin<'_>) -> Result<(), Refusal> {
    let Some(credential) = origin.credential else { return Ok(()) };
    if target != credential.owner {
        return Err(Refusal::invalid("target", "must be the owner of the profile or smart card"));
    }
    if !credential.status.takes(kind) {
        return Err(Refusal::CredentialUnfit { kind, status: credential.status });
    }
    match kind.effect() {
        // A temporary card is issued under a template of its own.
        CredentialEffect::Makes => Ok(()),
        CredentialEffect::Keeps | CredentialEffect::Replaces if origin.template.id == credential.template.id => Ok(()),
        CredentialEffect::Keeps | CredentialEffect::Replaces => {
            Err(Refusal::invalid("profile_template", "must be the template of the profile or smart card"))
        }
    }
}

/// Adds the open items of the policy, which a request about an existing credential shows (documented Unblock example).
fn with_open_items(policy: &Policy, mut items: Vec<DataItem>) -> Vec<DataItem> {
    for definition in &policy.data_items {
        if !items.iter().any(|item| item.is_named(&definition.name)) {
            items.push(DataItem::open(&definition.name));
        }
    }
    items
}

#[cfg(test)]
mod tests;
