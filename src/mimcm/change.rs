//! Reads the action on a request from the body of a change call.

use super::body::{member, object};
use super::codes;
use super::value::Value;
use crate::domain::{Action, Comment, CredentialIds, Refusal, Status};
use crate::service::Violations;

/// Reads the action that sets the given status.
///
/// # Errors
/// [`Refusal::Invalid`] with the given violations and those of the body.
pub(super) fn action(body: &Value, violations: Violations) -> Result<Action, Refusal> {
    let (members, mut violations) = object(body, violations)?;
    let action = match member(members, "status") {
        Value::String(name) => action_for(name.trim()),
        Value::Number(number) => action_for(codes::whole(number)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if action.is_none() {
        violations.add("status", "must be one of Completed, Canceled, Abandoned");
    }
    violations.finish(action)
}

/// The action that leads to a status. `Abandoned` is no status and has no number: an abandoned request becomes failed, but 9
/// could also mean an error. The body cannot name the credentials that a completed request produced; its execution records them.
fn action_for(status: &str) -> Option<Action> {
    let comment = Comment::default();
    if codes::is_status(status, Status::Completed) {
        Some(Action::Complete { new: CredentialIds::NONE, comment })
    } else if codes::is_status(status, Status::Canceled) {
        Some(Action::Cancel { comment })
    } else if status.eq_ignore_ascii_case("Abandoned") {
        Some(Action::Abandon { comment })
    } else {
        None
    }
}
