//! Collects what is wrong with a call, so that the caller learns everything at once.

use crate::domain::{FieldViolation, Refusal};

/// The wrong fields of one call, each under its path.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Adds a wrong field. The problem is the rest of a sentence that begins with the field.
    pub fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(FieldViolation { field: field.into(), problem: problem.into() });
    }

    /// The value of a field; if the domain refuses it, nothing, and the refusal is kept.
    pub fn keep<T>(&mut self, checked: Result<T, Refusal>) -> Option<T> {
        checked.map_err(|refusal| self.0.extend(refusal.violations())).ok()
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The refusal that lists everything that is wrong.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        Refusal::Invalid(self.0)
    }

    /// What was decoded, unless something is wrong.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with everything that is wrong.
    pub fn finish<T>(self, decoded: Option<T>) -> Result<T, Refusal> {
        match decoded {
            Some(decoded) if self.is_empty() => Ok(decoded),
            Some(_) | None => Err(self.refusal()),
        }
    }
}
