//! Authorization: one pure function that the life cycle calls, so that no transport can bypass it.
//!
//! Sources: FIM CM 2010 SDK pages bb456810, bb456811, bb456785 and bb490428; `RequestPermission` of the SDK.

use super::{Action, Caller, Refusal, Request};

/// Checks that the caller may take this action on the request, under the policy stored with it.
///
/// # Errors
/// [`Refusal::OwnRequest`] or [`Refusal::NotPermitted`], which names who may take the action.
pub(super) fn authorize(action: &Action, caller: &Caller, request: &Request) -> Result<(), Refusal> {
    let policy = &request.policy;
    let only = |allowed| Err(Refusal::NotPermitted { action: action.name(), allowed });
    match action {
        Action::Create(_) => Ok(()),
        Action::Approve { .. } | Action::Deny { .. } => {
            if request.is_party(caller.user) {
                Err(Refusal::OwnRequest { action: action.name() })
            } else if caller.is_among(&policy.approvers) {
                Ok(())
            } else {
                only("an approver named in the policy")
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
                only("an enrollment agent named in the policy")
            } else {
                only("the target")
            }
        }
        Action::Abandon { .. } => {
            if may_execute(caller, request) || caller.user == request.originator {
                Ok(())
            } else {
                only("the originator or the executor")
            }
        }
        Action::Cancel { .. } => {
            let is_named_initiator = !policy.initiators.is_empty() && caller.is_among(&policy.initiators);
            if request.is_party(caller.user) || is_named_initiator {
                Ok(())
            } else {
                only("the originator, the target or an initiator named in the policy")
            }
        }
    }
}

/// The Execute permission: the agents of the policy hold it, or the target if the policy names none.
fn may_execute(caller: &Caller, request: &Request) -> bool {
    let policy = &request.policy;
    if policy.enrollment_agent_required || !policy.agents.is_empty() {
        caller.is_among(&policy.agents)
    } else {
        caller.user == request.target
    }
}
