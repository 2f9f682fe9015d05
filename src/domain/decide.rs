//! The life cycle: a request and a command in, an event or a refusal out.
//!
//! Sources: FIM CM 2010 SDK pages bb456810 (abandon), bb456811 (approve), bb456813 (deny), bb456785 (complete).

use std::sync::Arc;

use super::authorize::authorize;
use super::credential::effect;
use super::repetition::repeats_conclusion;
use super::{
    Action, Actor, Approval, CancelReason, Command, Comment, Conclusion, Creation, Credential, CredentialEffect,
    CredentialIds, Credentials, DataItem, Event, EventType, Execution, FailReason, Medium, ProfileId, Refusal, Request,
    SmartcardId, State, Status, Timestamp, merge_items,
};

/// Decides a command. `current` is the stored request and `known` holds the stored profiles and cards that the command
/// touches; the caller keeps both locked until it has stored the event. Returns `None` if nothing would change.
///
/// Checks run in this order: existence, version, permission, state.
///
/// # Errors
/// The [`Refusal`] for the caller; nothing changes.
pub fn decide(command: &Command, current: Option<&Request>, known: &Credentials) -> Result<Option<Event>, Refusal> {
    let Some(current) = current else {
        return match &command.action {
            Action::Create(creation) => created(command, creation, known).map(Some),
            _ => Err(Refusal::RequestNotFound(command.request)),
        };
    };
    let is_repeated = repeats_conclusion(command, current);
    if let Some(expected) = command.expected
        && expected != current.version
        // A retry expects the version that its first attempt was sent for.
        && !(is_repeated && expected.next() == current.version)
    {
        return Err(Refusal::VersionMismatch { expected, actual: current.version });
    }
    authorize(&command.action, &command.caller, current)?;
    if is_repeated {
        return Ok(None);
    }
    let Some(step) = step(command, current, known)? else { return Ok(None) };
    // Clocks of replicas differ; the time of a request never goes back.
    let at = command.now.max(current.changed_at);
    let request = Request { version: current.version.next(), changed_at: at, ..step.request };
    Ok(Some(Event {
        event_type: step.event_type,
        request: Arc::new(request),
        previous: Some(current.status()),
        actor: command.caller.actor(),
        at,
        comment: step.comment,
        credentials: step.credentials,
        trace: command.trace.clone(),
    }))
}

struct Step {
    event_type: EventType,
    request: Request,
    comment: Comment,
    credentials: Vec<Credential>,
}

fn created(command: &Command, creation: &Creation, known: &Credentials) -> Result<Event, Refusal> {
    let request = creation.request(command.request, &command.caller, command.now, known)?;
    Ok(Event {
        event_type: EventType::Created,
        previous: None,
        actor: command.caller.actor(),
        at: request.submitted_at,
        comment: request.comment.clone(),
        credentials: Vec::new(),
        trace: command.trace.clone(),
        request: Arc::new(request),
    })
}

fn step(command: &Command, current: &Request, known: &Credentials) -> Result<Option<Step>, Refusal> {
    let illegal = || Refusal::IllegalTransition { action: command.action.name(), status: current.status() };
    let at = command.now.max(current.changed_at);
    let actor = command.caller.actor();
    let conclusion = |comment: &Comment| Conclusion { actor: actor.clone(), at, comment: comment.clone() };
    let moved = |event_type, state, comment: &Comment| Step {
        event_type,
        request: Request { state, ..current.clone() },
        comment: comment.clone(),
        credentials: Vec::new(),
    };
    // A request that ends without being completed releases the card bound to it.
    let ended = |event_type, state, comment: &Comment| Step {
        credentials: effect::released(current, known),
        ..moved(event_type, state, comment)
    };

    let step = match (&command.action, current.status()) {
        (Action::Create(_), _) => return Err(Refusal::RequestExists(command.request)),

        (Action::Approve { comment, data_items }, Status::Pending) => {
            approved(current, actor, at, comment, data_items)?
        }
        (Action::Deny { comment }, Status::Pending) => {
            moved(EventType::Denied, State::Denied { conclusion: conclusion(comment) }, comment)
        }
        (Action::Start { comment }, Status::Approved) => {
            let state = State::Executing { execution: Execution { actor, at } };
            moved(EventType::Started, state, comment)
        }
        (Action::BindSmartcard { card, id, comment }, Status::Approved | Status::Executing) => {
            let bound = effect::bind(current, card, *id, known)?;
            return Ok(bound.map(|bound| with_smartcard(current, bound, comment)));
        }
        (Action::ChangeSmartcard { smartcard, status, comment }, Status::Approved | Status::Executing) => {
            let credentials = effect::change(current, *smartcard, *status, known)?;
            if credentials.is_empty() {
                return Ok(None);
            }
            Step { credentials, ..moved(EventType::SmartcardChanged, current.state.clone(), comment) }
        }
        (Action::Complete { new, comment }, Status::Approved | Status::Executing) => {
            let state = State::Completed { execution: execution(current), conclusion: conclusion(comment) };
            let mut step = moved(EventType::Completed, state, comment);
            step.request.new = produced(current, *new)?;
            step.credentials = effect::completed(current, step.request.new, known)?;
            step
        }
        (Action::Fail { comment }, Status::Approved | Status::Executing) => {
            ended(EventType::Failed, failed(current, FailReason::Error, conclusion(comment)), comment)
        }
        (Action::Abandon { comment }, Status::Approved | Status::Executing) => {
            ended(EventType::Failed, failed(current, FailReason::Abandoned, conclusion(comment)), comment)
        }
        (Action::Cancel { comment }, Status::Pending | Status::Approved | Status::Executing) => {
            let state = State::Canceled {
                execution: execution(current),
                reason: CancelReason::Withdrawn,
                conclusion: conclusion(comment),
            };
            ended(EventType::Canceled, state, comment)
        }

        (
            Action::Approve { .. } | Action::Deny { .. },
            Status::Approved
            | Status::Executing
            | Status::Completed
            | Status::Denied
            | Status::Failed
            | Status::Canceled,
        )
        | (
            Action::Start { .. },
            Status::Pending
            | Status::Executing
            | Status::Completed
            | Status::Denied
            | Status::Failed
            | Status::Canceled,
        )
        | (
            Action::BindSmartcard { .. }
            | Action::ChangeSmartcard { .. }
            | Action::Complete { .. }
            | Action::Fail { .. }
            | Action::Abandon { .. },
            Status::Pending | Status::Completed | Status::Denied | Status::Failed | Status::Canceled,
        )
        | (Action::Cancel { .. }, Status::Completed | Status::Denied | Status::Failed | Status::Canceled) => {
            return Err(illegal());
        }
    };
    Ok(Some(step))
}

/// Records one approval; the last one that the policy requires approves the request.
fn approved(
    current: &Request,
    actor: Actor,
    at: Timestamp,
    comment: &Comment,
    data_items: &[DataItem],
) -> Result<Step, Refusal> {
    if current.approvals.iter().any(|approval| approval.actor.user == actor.user) {
        return Err(Refusal::AlreadyApproved);
    }
    let merged = merge_items("data_items", &current.data_items, data_items)?;
    current.policy.check_delivered("data_items", data_items)?;
    let mut request = Request { data_items: merged, ..current.clone() };
    request.approvals.push(Approval { actor, at, comment: comment.clone() });
    let is_last = request.approvals.len() >= usize::from(request.policy.approvals_needed);
    let event_type = if is_last { EventType::Approved } else { EventType::ApprovalRecorded };
    if is_last {
        request.policy.check_complete("data_items", &request.data_items)?;
        request.state = State::Approved;
    }
    Ok(Step { event_type, request, comment: comment.clone(), credentials: Vec::new() })
}

/// Binds a card; the status of the request stays.
fn with_smartcard(current: &Request, bound: effect::Bound, comment: &Comment) -> Step {
    let new = CredentialIds { smartcard: Some(bound.id), ..current.new };
    Step {
        event_type: EventType::SmartcardBound,
        request: Request { new, ..current.clone() },
        comment: comment.clone(),
        credentials: bound.credential.into_iter().collect(),
    }
}

fn execution(request: &Request) -> Option<Execution> {
    request.state.execution().cloned()
}

fn failed(request: &Request, reason: FailReason, conclusion: Conclusion) -> State {
    State::Failed { execution: execution(request), reason, conclusion }
}

/// The ids that a completed request leaves: those it keeps, or those it issued as far as the caller named them.
fn produced(request: &Request, named: CredentialIds) -> Result<CredentialIds, Refusal> {
    if request.medium == Medium::Software && named.smartcard.is_some() {
        let problem = "must be absent: the request is for a software profile";
        return Err(Refusal::invalid("new_credential.smartcard", problem));
    }
    if named.profile.map(ProfileId::uuid).is_some_and(|id| named.smartcard.map(SmartcardId::uuid) == Some(id)) {
        return Err(Refusal::invalid("new_credential", "must have different ids for the profile and the smart card"));
    }
    match request.kind.effect() {
        CredentialEffect::Keeps if request.new.agrees_with(&named) => Ok(request.new),
        CredentialEffect::Keeps => Err(Refusal::invalid(
            "new_credential",
            format!("must match the old credential: a request of type {} keeps it", request.kind.name()),
        )),
        CredentialEffect::Makes | CredentialEffect::Replaces => match (request.new.smartcard, named.smartcard) {
            (Some(bound), Some(other)) if bound != other => Err(Refusal::OtherCardBound(bound)),
            _ => Ok(request.new.or(named)),
        },
    }
}

#[cfg(test)]
mod tests;
