//! JSON as the API writes it.

use serde::Serialize;

/// Writes a value as JSON without blanks at the end of `out`.
pub(super) fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    #[expect(
        clippy::expect_used,
        reason = "structs, strings and numbers always have a JSON form, and memory takes it"
    )]
    serde_json::to_writer(out, value).expect("every answer has a JSON form");
}
