//! How many bytes commands and requests take as they are stored: upper bounds that are cheap to compute.

use crate::domain::{Action, Command, DataItem, Request};

/// What a stored request takes beside its texts, with its event: its policy, its ids and the names of its fields.
const FRAME: usize = 3 << 10;

/// What a data item takes beside its texts.
const ITEM_FRAME: usize = 32;

/// Bytes that a command has the database write, at most, beside what it has written of the request before.
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

/// Bytes that a request takes in memory and as a message of the contract, at most. As JSON its control characters take six times
/// as much.
pub(super) fn of_request(request: &Request) -> usize {
    let conclusion = request.state.conclusion().map(|conclusion| &conclusion.comment);
    let comments =
        request.approvals.iter().map(|approval| &approval.comment).chain(conclusion).chain([&request.comment]);
    let comments: usize = comments.map(|comment| comment.as_str().len()).sum();
    let item = |item: &DataItem| ITEM_FRAME + item.name().len() + item.value().map_or(0, str::len);
    FRAME + comments + request.data_items.iter().map(item).sum::<usize>() + request.descriptor.len()
}

/// Bytes of a text in the event and in the document.
fn written(text: &str) -> usize {
    text.len() + json(text)
}

/// Bytes of a text in JSON: a control character can take six, a quotation mark or backslash two.
fn json(text: &str) -> usize {
    text.bytes().map(|byte| if byte < 0x20 { 6 } else { 1 + usize::from(matches!(byte, b'"' | b'\\')) }).sum()
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn a_text_is_not_longer_than_it_is_taken_for() {
        for text in ["", "plain", "ä\u{2028}\u{1f600}", "\"\\\"", "\u{1}\u{1f}\u{7f}", "a\tb\nc\rd\u{8}e\u{c}"] {
            let stored = serde_json::to_string(text).unwrap().len() - 2;
            assert!(stored <= json(text) && json(text) <= 6 * text.len(), "{text:?}");
        }
        assert_eq!(json("\u{1}\"a"), 6 + 2 + 1);
    }
}
