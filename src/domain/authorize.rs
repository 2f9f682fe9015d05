//! Who may do what to a request: one pure function, asked by the life cycle itself, so that no transport can get past it.
//!
//! Sources: FIM CM 2010 SDK pages bb456810, bb456811, bb456785 and bb490428; `RequestPermission` of the SDK.

use super::{Action, Caller, Refusal, Request};

/// Checks that the caller may take this action on the request, under the policy stored with it.
///
/// # Errors
/// [`Refusal::OwnRequest`] or [`Refusal::NotPermitted`], which say what is missing.
pub(super) fn authorize(action: &Action, caller: &Caller, request: &Request) -> Result<(), Refusal> {
    let policy = &request.policy;
    let refuse = |needed| Err(Refusal::NotPermitted { action: action.name(), needed });
    match action {
        Action::Create(_) => Ok(()),
        Action::Approve { .. } | Action::Deny { .. } => {
            if request.is_party(caller.user) {
                Err(Refusal::OwnRequest { action: action.name() })
            } else if caller.is_among(&policy.approvers) {
                Ok(())
            } else {
                refuse("being an approver of its policy")
            }
        }
        Action::Start { .. }
        | Action::BindSmartcard { .. }
        | Action::ChangeSmartcard { .. }
        | Action::Complete { .. }
        | Action::Fail { .. } => {
            if may_execute(caller, request) {
                Ok(())
            } else if policy.enrollment_agent_required || !policy.agents.is_empty() {
                refuse("being an enrollment agent of its policy")
            } else {
                refuse("being its target")
            }
        }
        Action::Abandon { .. } => {
            if may_execute(caller, request) || caller.user == request.originator {
                Ok(())
            } else {
                refuse("being its originator or its executor")
            }
        }
        Action::Cancel { .. } => {
            let is_named_initiator = !policy.initiators.is_empty() && caller.is_among(&policy.initiators);
            if request.is_party(caller.user) || is_named_initiator {
                Ok(())
            } else {
                refuse("being its originator, its target or an initiator of its policy")
            }
        }
    }
}

/// The permission Execute: held by the agents of the policy, or by the target when none are configured.
fn may_execute(caller: &Caller, request: &Request) -> bool {
    let policy = &request.policy;
    if policy.enrollment_agent_required || !policy.agents.is_empty() {
        caller.is_among(&policy.agents)
    } else {
        caller.user == request.target
    }
}
