//! What an operator sees: names of the metrics, and errors written out for the log.

pub mod names;

use std::error::Error;
use std::fmt::Write;

/// An error with everything that caused it, on one line, for the log.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
