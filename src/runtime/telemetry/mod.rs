//! The log, the metrics, and errors formatted on one line.

pub mod names;

mod limit;
mod log;
mod metrics;
#[cfg(test)]
mod page;

use std::error::Error;
use std::fmt::Write;

pub use limit::LineLimit;
pub use log::{CALL_TARGET, LogError, LogFormat, host_name, start_log};
pub use metrics::{Metrics, MetricsError};

/// Formats an error and its chain of sources on one line, each cause once: some errors already quote theirs.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Whether an error is an `E`, or has one in its chain of sources.
#[must_use]
pub fn is_caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<E>() {
            return true;
        }
        next = error.source();
    }
    false
}
