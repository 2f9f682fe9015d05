//! Collects what is wrong with a message, so that a caller learns everything at once.

use std::fmt::Display;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::domain::{FieldViolation, Refusal};

/// The wrong fields of one message, each under its path.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Takes note of a wrong field. The problem is the rest of a sentence that begins with the field.
    pub(super) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(FieldViolation { field: field.into(), problem: problem.into() });
    }

    /// The value of a field, or a note of what the domain has against it.
    pub(super) fn check<T>(&mut self, checked: Result<T, Refusal>) -> Option<T> {
        checked.map_err(|refusal| self.0.extend(refusal.violations())).ok()
    }

    /// A UUID in the form of the contract: with hyphens.
    pub(super) fn uuid<T>(&mut self, field: impl Display, text: &str, id: fn(Uuid) -> T) -> Option<T> {
        let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == Hyphenated::LENGTH);
        if uuid.is_none() {
            let problem = if text.is_empty() { "must be given" } else { "must be a UUID with hyphens" };
            self.add(field.to_string(), problem);
        }
        uuid.map(id)
    }

    /// As [`Violations::uuid`], of a field that may be left empty.
    pub(super) fn optional_uuid<T>(&mut self, field: impl Display, text: &str, id: fn(Uuid) -> T) -> Option<T> {
        if text.is_empty() { None } else { self.uuid(field, text, id) }
    }

    /// What was decoded, unless something is wrong.
    pub(super) fn finish<T>(self, decoded: Option<T>) -> Result<T, Refusal> {
        match decoded {
            Some(decoded) if self.0.is_empty() => Ok(decoded),
            Some(_) | None => Err(Refusal::Invalid(self.0)),
        }
    }
}
