//! What is wrong with the fields of a call.

use crate::domain::{FieldViolation, Refusal};

/// What is wrong with a call, gathered so that the caller learns all of it at once.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Notes what is wrong with one field.
    pub(super) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(FieldViolation { field: field.into(), problem: problem.into() });
    }

    /// The value of a field; if it was refused, nothing, and the refusal is kept.
    pub(super) fn keep<T>(&mut self, read: Result<T, Refusal>) -> Option<T> {
        read.map_err(|refusal| self.0.extend(refusal.violations())).ok()
    }

    /// Whether nothing is wrong.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The refusal that tells all that is wrong.
    pub(super) fn refusal(self) -> Refusal {
        Refusal::Invalid(self.0)
    }
}
