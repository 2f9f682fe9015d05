//! Upper bounds, cheap to compute, on the stored size of commands and requests.

use crate::domain::{Action, Command, DataItem, Request};

/// Bytes of a stored request and its event besides their texts: policy, ids and field names.
const FRAME: usize = 3 << 10;

/// Bytes of a data item besides its texts.
const ITEM_FRAME: usize = 32;

/// Maximum bytes that a command writes to the database, besides those of the request as it was before.
pub(super) fn of_command(command: &Command) -> usize {
    let (comment, items) = match &command.action {
        Action::Create(creation) => (&creation.draft.comment, &creation.draft.data_items[..]),
        Action::Approve { comment, data_items } => (comment, &data_items[..]),
        Action::Deny { comment }
        | Action::Start { comment }
        | Action::BindSmartcard { comment, .. }
        | Action::ChangeSmartcard { comment, .. }
        | Action::Complete { comment, .. }
        | Action::Fail { comment }
        | Action::Cancel { comment }
        | Action::Abandon { comment } => (comment, &[][..]),
    };
    let item = |item: &DataItem| 2 * ITEM_FRAME + written(item.name()) + item.value().map_or(0, written);
    FRAME + written(comment.as_str()) + items.iter().map(item).sum::<usize>()
}

/// Maximum bytes of a request in memory and as a message of the contract. In JSON, control characters take six times as much.
pub(super) fn of_request(request: &Request) -> usize {
    let conclusion = request.state.conclusion().map(|conclusion| &conclusion.comment);
    let comments =
        request.approvals.iter().map(|approval| &approval.comment).chain(conclusion).chain([&request.comment]);
    let comments: usize = comments.map(|comment| comment.as_str().len()).sum();
    let item = |item: &DataItem| ITEM_FRAME + item.name().len() + item.value().map_or(0, str::len);
    FRAME + comments + request.data_items.iter().map(item).sum::<usize>() + request.descriptor.len()
}

/// Bytes of a text in the event plus the stored document.
fn written(text: &str) -> usize {
    text.len() + json(text)
}

/// Maximum bytes of a text in JSON: a control character takes up to six, a quotation mark or backslash two.
fn json(text: &str) -> usize {
    text.bytes().map(|byte| if byte < 0x20 { 6 } else { 1 + usize::from(matches!(byte, b'"' | b'\\')) }).sum()
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn the_bound_covers_the_json_form_of_a_text() {
        for text in ["", "plain", "ä\u{2028}\u{1f600}", "\"\\\"", "\u{1}\u{1f}\u{7f}", "a\tb\nc\rd\u{8}e\u{c}"] {
            let stored = serde_json::to_string(text).unwrap().len() - 2;
            assert!(stored <= json(text) && json(text) <= 6 * text.len(), "{text:?}");
        }
        assert_eq!(json("\u{1}\"a"), 6 + 2 + 1);
    }
}
