//! Writes JSON answers.

use serde::Serialize;

/// Appends a value to `out` as JSON without white space.
pub(super) fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    #[expect(
        clippy::expect_used,
        reason = "structs, strings and numbers always have a JSON form, and writes to a Vec cannot fail"
    )]
    serde_json::to_writer(out, value).expect("every answer has a JSON form");
}
