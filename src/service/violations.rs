//! Collects the wrong fields of a call, so that one answer reports all of them.

use crate::domain::{FieldViolation, Refusal};

/// The wrong fields of one call, each under its path.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Adds a wrong field. The problem completes a sentence that begins with the field.
    pub fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(FieldViolation { field: field.into(), problem: problem.into() });
    }

    /// Returns the value of a field, or `None` after recording the refusal of the domain.
    pub fn keep<T>(&mut self, checked: Result<T, Refusal>) -> Option<T> {
        checked.map_err(|refusal| self.0.extend(refusal.violations())).ok()
    }

    /// Whether no field is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The refusal that lists all wrong fields.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        Refusal::Invalid(self.0)
    }

    /// Returns the decoded value if no field is wrong.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with all wrong fields.
    pub fn finish<T>(self, decoded: Option<T>) -> Result<T, Refusal> {
        match decoded {
            Some(decoded) if self.is_empty() => Ok(decoded),
            Some(_) | None => Err(self.refusal()),
        }
    }
}
