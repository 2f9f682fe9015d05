//! The body of a change call: the status to which a request is to be brought.

use super::body::{BODY, Violations, member};
use super::json::Value;
use crate::domain::{Action, Comment, Credential, Refusal};

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
        Value::String(name) => named(name.trim()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if action.is_none() {
        violations.add("status", "must be one of Completed, Canceled, Abandoned");
    }
    match action {
        Some(action) if violations.is_empty() => Ok(action),
        _ => Err(violations.refusal()),
    }
}

/// The step by the name of the status that it leads to. `Abandoned` is no status; the request ends as failed. What a
/// completed request made is known from its execution, and never said here.
fn named(name: &str) -> Option<Action> {
    let is = |expected| name.eq_ignore_ascii_case(expected);
    let comment = Comment::default();
    if is("Completed") {
        Some(Action::Complete { new: Credential::NONE, comment })
    } else if is("Canceled") {
        Some(Action::Cancel { comment })
    } else if is("Abandoned") {
        Some(Action::Abandon { comment })
    } else {
        None
    }
}
