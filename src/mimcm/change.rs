//! The body of a change call: the status to which a request is to be brought.

use super::body::{BODY, member};
use super::codes;
use super::value::Value;
use crate::domain::{Action, Comment, CredentialIds, Refusal, Status};
use crate::service::Violations;

/// Reads the step that a body asks for.
///
/// # Errors
/// [`Refusal::Invalid`] with what is wrong with the body, and with what was found wrong before.
pub(super) fn action(body: &Value, mut violations: Violations) -> Result<Action, Refusal> {
    let Value::Object(members) = body else {
        violations.add(BODY, "must be a JSON object");
        return Err(violations.refusal());
    };
    let action = match member(members, "status") {
        Value::String(name) => leading_to(name.trim()),
        Value::Number(number) => leading_to(codes::whole(number)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if action.is_none() {
        violations.add("status", "must be one of Completed, Canceled, Abandoned");
    }
    match action {
        Some(action) if violations.is_empty() => Ok(action),
        _ => Err(violations.refusal()),
    }
}

/// The step that leads to a status. `Abandoned` is not a status and has no number: an abandoned request is failed, but 9 could
/// also mean an error. The body never says what a completed request produced; that is known from its execution.
fn leading_to(status: &str) -> Option<Action> {
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
