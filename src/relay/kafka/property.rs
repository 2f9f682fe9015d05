//! Refused properties of `[kafka.properties]`.

use thiserror::Error;

/// Why a property is refused.
#[derive(Debug, Error)]
#[error("kafka.properties: {problem}")]
pub struct PropertyError {
    problem: String,
}

impl PropertyError {
    pub(super) const fn new(problem: String) -> Self {
        Self { problem }
    }
}
