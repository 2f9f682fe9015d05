//! The life cycle: given a request and a command, what happens next, or why nothing does.
//!
//! Sources: FIM CM 2010 SDK pages bb456810 (abandon), bb456811 (approve), bb456813 (deny), bb456785 (complete).

use std::sync::Arc;

use super::permission::permit;
use super::{
    Action, Approval, CancelReason, Command, Comment, Conclusion, Credential, CredentialEffect, Event, EventType,
    Execution, FailReason, Medium, Refusal, Request, State, Status, merge_items,
};

/// Decides a command. `current` is the stored request, locked until the decision is stored.
///
/// The checks come in the order in which they may be answered for: existence, version, permission, state.
///
/// # Errors
/// The [`Refusal`] that the caller gets; nothing changes.
pub fn decide(command: &Command, current: Option<&Request>) -> Result<Event, Refusal> {
    let Some(current) = current else {
        return match &command.action {
            Action::Create(request) => Ok(created(command, request)),
            _ => Err(Refusal::RequestNotFound(command.request)),
        };
    };
    if let Some(expected) = command.expected
        && expected != current.version
    {
        return Err(Refusal::VersionMismatch { expected, actual: current.version });
    }
    permit(&command.action, &command.caller, current)?;
    let step = step(command, current)?;
    // Replicas may disagree about the time; a request never goes back in it.
    let at = command.now.max(current.changed_at);
    let request = Request { version: current.version.next(), changed_at: at, ..step.request };
    Ok(Event {
        event_type: step.event_type,
        request: Arc::new(request),
        previous: Some(current.status()),
        actor: command.caller.actor(),
        at,
        comment: step.comment,
        traceparent: command.traceparent.clone(),
    })
}

struct Step {
    event_type: EventType,
    request: Request,
    comment: Comment,
}

fn created(command: &Command, request: &Arc<Request>) -> Event {
    Event {
        event_type: EventType::Created,
        request: Arc::clone(request),
        previous: None,
        actor: command.caller.actor(),
        at: request.submitted_at,
        comment: request.comment.clone(),
        traceparent: command.traceparent.clone(),
    }
}

fn step(command: &Command, current: &Request) -> Result<Step, Refusal> {
    let illegal = || Refusal::IllegalTransition { action: command.action.name(), status: current.status() };
    let at = command.now.max(current.changed_at);
    let actor = command.caller.actor();
    let conclusion = |comment: &Comment| Conclusion { actor: actor.clone(), at, comment: comment.clone() };
    let moved = |event_type, state, comment: &Comment| Step {
        event_type,
        request: Request { state, ..current.clone() },
        comment: comment.clone(),
    };

    match (&command.action, current.status()) {
        (Action::Create(_), _) => Err(Refusal::RequestExists(command.request)),

        (Action::Approve { comment, data_items }, Status::Pending) => {
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
            Ok(Step { event_type, request, comment: comment.clone() })
        }
        (Action::Deny { comment }, Status::Pending) => {
            Ok(moved(EventType::Denied, State::Denied { conclusion: conclusion(comment) }, comment))
        }
        (Action::Start { comment }, Status::Approved) => {
            let state = State::Executing { execution: Execution { actor, at } };
            Ok(moved(EventType::Started, state, comment))
        }
        (Action::Complete { new, comment }, Status::Approved | Status::Executing) => {
            let state = State::Completed { execution: execution(current), conclusion: conclusion(comment) };
            let mut step = moved(EventType::Completed, state, comment);
            step.request.new = produced(current, *new)?;
            Ok(step)
        }
        (Action::Fail { comment }, Status::Approved | Status::Executing) => {
            Ok(moved(EventType::Failed, failed(current, FailReason::Error, conclusion(comment)), comment))
        }
        (Action::Abandon { comment }, Status::Approved | Status::Executing) => {
            Ok(moved(EventType::Failed, failed(current, FailReason::Abandoned, conclusion(comment)), comment))
        }
        (Action::Cancel { comment }, Status::Pending | Status::Approved | Status::Executing) => {
            let state = State::Canceled {
                execution: execution(current),
                reason: CancelReason::Withdrawn,
                conclusion: conclusion(comment),
            };
            Ok(moved(EventType::Canceled, state, comment))
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
            Action::Complete { .. } | Action::Fail { .. } | Action::Abandon { .. },
            Status::Pending | Status::Completed | Status::Denied | Status::Failed | Status::Canceled,
        )
        | (Action::Cancel { .. }, Status::Completed | Status::Denied | Status::Failed | Status::Canceled) => {
            Err(illegal())
        }
    }
}

fn execution(request: &Request) -> Option<Execution> {
    request.state.execution().cloned()
}

fn failed(request: &Request, reason: FailReason, conclusion: Conclusion) -> State {
    State::Failed { execution: execution(request), reason, conclusion }
}

/// What a completed request leaves: the kept credential, or what was made, as far as it was told.
fn produced(request: &Request, told: Credential) -> Result<Credential, Refusal> {
    if request.medium == Medium::Software && told.smartcard.is_some() {
        let problem = "must be absent: the request is about a software profile";
        return Err(Refusal::invalid("new_credential.smartcard", problem));
    }
    match request.kind.effect() {
        CredentialEffect::Keeps if request.new.agrees_with(&told) => Ok(request.new),
        CredentialEffect::Keeps => Err(Refusal::invalid(
            "new_credential",
            format!("a request of type {} keeps the credential that it was created for", request.kind.name()),
        )),
        CredentialEffect::Makes | CredentialEffect::Replaces => Ok(told),
    }
}

#[cfg(test)]
mod tests;
