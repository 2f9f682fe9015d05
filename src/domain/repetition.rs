//! Retries of the step that ended a request.

use super::{Action, CancelReason, Command, FailReason, Request, State};

/// Whether the caller already ended the request with this step, so that a caller that missed the response can retry. A
/// comment or credential that the command omits is not compared.
pub(super) fn repeats_conclusion(command: &Command, current: &Request) -> bool {
    let Some(conclusion) = current.state.conclusion() else { return false };
    let comment = match (&command.action, &current.state) {
        (Action::Complete { new, comment }, State::Completed { .. }) if current.new.agrees_with(new) => comment,
        (Action::Deny { comment }, State::Denied { .. })
        | (Action::Fail { comment }, State::Failed { reason: FailReason::Error, .. })
        | (Action::Abandon { comment }, State::Failed { reason: FailReason::Abandoned, .. })
        | (Action::Cancel { comment }, State::Canceled { reason: CancelReason::Withdrawn, .. }) => comment,
        _ => return false,
    };
    conclusion.actor.user == command.caller.user && (comment.is_empty() || *comment == conclusion.comment)
}
