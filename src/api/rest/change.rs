//! The body of a change call: the status to which a request is to be brought.

use super::body::{BODY, Violations, member};
use super::json::Value;
use super::numbers;
use crate::domain::{Action, Comment, Credential, Refusal, Status};

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
        Value::Number(number) => leading_to(numbers::whole(number)),
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

/// The step by the status that it leads to. `Abandoned` is no status and has no number: the request ends as failed, and 9
/// could as well mean an error. What a completed request made is known from its execution, and never said here.
fn leading_to(status: &str) -> Option<Action> {
    let comment = Comment::default();
    if numbers::is_status(status, Status::Completed) {
        Some(Action::Complete { new: Credential::NONE, comment })
    } else if numbers::is_status(status, Status::Canceled) {
        Some(Action::Cancel { comment })
    } else if status.eq_ignore_ascii_case("Abandoned") {
        Some(Action::Abandon { comment })
    } else {
        None
    }
}
