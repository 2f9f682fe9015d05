//! Drafts: what the creator of a request decides, and how a checked draft becomes a request.

use std::sync::Arc;

use super::descriptor::descriptor;
use crate::domain::{
    Caller, Comment, Credential, CredentialEffect, DataItem, Policy, Priority, ProfileTemplate, Refusal, Request,
    RequestId, RequestType, Sid, State, Subject, TemplateId, TemplateRef, Timestamp, UserId, Version, merge_items,
};

/// What the creator of a request decides. Serialised, it is what an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What is asked for.
    pub kind: RequestType,
    /// The template; may be left out when `old` names something known.
    pub template: Option<TemplateId>,
    /// For whom; the owner of the subject, else the caller, if left out.
    pub target: Option<UserId>,
    /// What it is about.
    pub old: Credential,
    /// Items to store.
    pub data_items: Vec<DataItem>,
    /// What the creator says.
    pub comment: Comment,
    /// Urgency; the default of the policy if left out.
    pub priority: Option<Priority>,
}

/// What surrounds a draft: the template in force, what is known of its subject, and where and when the request begins.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Id of the new request.
    pub id: RequestId,
    /// Who creates it.
    pub caller: &'a Caller,
    /// When.
    pub now: Timestamp,
    /// The template that the draft, or its subject, names.
    pub template: &'a ProfileTemplate,
    /// Its version.
    pub template_version: u32,
    /// What the service knows of the profile or card that the draft names.
    pub subject: Option<&'a Subject>,
    /// Account of the service, the owner of every descriptor.
    pub service: &'a Sid,
}

/// Makes a request of a draft; [`super::Creation`] finds the template and the subject for it.
///
/// # Errors
/// The [`Refusal`] that the caller gets: the template does not take this type, the caller may not ask for this, the
/// draft lacks its subject or names one it cannot have, or contradicts what is known of it, or a data item occurs twice,
/// is not what the policy wants of it, or is missing although the policy insists on it.
pub fn create(draft: &Draft, origin: Origin<'_>) -> Result<Request, Refusal> {
    let caller = origin.caller;
    let policy = policy(draft.kind, origin.template)?;
    let target = draft.target.or(origin.subject.map(|subject| subject.owner)).unwrap_or(caller.user);
    authorize_creation(policy, caller, target)?;
    let old = subject_of(draft, origin.subject)?;
    agree_with_subject(draft.kind, target, origin)?;
    let new = match draft.kind.effect() {
        CredentialEffect::Keeps => old,
        CredentialEffect::Makes | CredentialEffect::Replaces => Credential::NONE,
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

/// The types of request that the caller may make about something that is known, in the order of their numbers.
#[must_use]
pub fn offered(caller: &Caller, subject: &Subject, template: &ProfileTemplate) -> Vec<RequestType> {
    let is_offered = |kind: &RequestType| {
        let permitted = policy(*kind, template).and_then(|policy| authorize_creation(policy, caller, subject.owner));
        permitted.is_ok() && subject.standing.takes(*kind)
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

/// Whether the policy lets the caller ask for the target.
fn authorize_creation(policy: &Policy, caller: &Caller, target: UserId) -> Result<(), Refusal> {
    let refuse = |needed| Err(Refusal::NotPermitted { action: "create", needed });
    if target == caller.user {
        if policy.self_service { Ok(()) } else { refuse("a policy that lets users ask for themselves") }
    } else if caller.is_among(&policy.initiators) {
        Ok(())
    } else {
        refuse("being an initiator of its policy, or asking for oneself")
    }
}

/// What the request is about: nothing for a type that makes something new, else the known subject, or what was said.
fn subject_of(draft: &Draft, known: Option<&Subject>) -> Result<Credential, Refusal> {
    let field = "old_credential";
    if known.is_some_and(|subject| !subject.credential().agrees_with(&draft.old)) {
        return Err(Refusal::invalid(field, "names a profile and a smart card that do not belong together"));
    }
    match draft.kind.effect() {
        CredentialEffect::Makes if draft.kind == RequestType::TemporaryCardEnroll => {
            // A temporary card may be linked to the permanent one that it stands for.
            Ok(known.map_or(draft.old, Subject::credential))
        }
        CredentialEffect::Makes if draft.old.is_none() => Ok(Credential::NONE),
        CredentialEffect::Makes => {
            Err(Refusal::invalid(field, format!("must be absent in a request of type {}", draft.kind.name())))
        }
        CredentialEffect::Keeps | CredentialEffect::Replaces if draft.old.is_none() => Err(Refusal::invalid(
            field,
            format!("must name the profile or smart card that a request of type {} is about", draft.kind.name()),
        )),
        CredentialEffect::Keeps | CredentialEffect::Replaces => Ok(known.map_or(draft.old, Subject::credential)),
    }
}

/// A request about something known is for its owner and under its template; otherwise its creator could choose who
/// executes it, and whose approval it needs.
fn agree_with_subject(kind: RequestType, target: UserId, origin: Origin<'_>) -> Result<(), Refusal> {
    let Some(subject) = origin.subject else { return Ok(()) };
    if target != subject.owner {
        return Err(Refusal::invalid("target", "must be the owner of the profile or smart card"));
    }
    if !subject.standing.takes(kind) {
        return Err(Refusal::SubjectUnfit { kind, standing: subject.standing });
    }
    match kind.effect() {
        // A temporary card is issued under a template of its own.
        CredentialEffect::Makes => Ok(()),
        CredentialEffect::Keeps | CredentialEffect::Replaces if origin.template.id == subject.template.id => Ok(()),
        CredentialEffect::Keeps | CredentialEffect::Replaces => {
            Err(Refusal::invalid("profile_template", "must be the template of the profile or smart card"))
        }
    }
}

/// A request about an existing subject shows the items that are still open (the documented Unblock example).
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
