//! Authentication in development mode: a header sets the caller without proof, to try a life cycle as several persons.

use std::sync::Arc;

use http::HeaderMap;
use uuid::Uuid;

use super::DEVELOPMENT_HEADER;
use super::refusal::Refusal;
use crate::domain::{Caller, UserId};

/// The callers of the development mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Development {
    /// The caller without the header. Its groups are those of every caller, including those that the header selects, so that
    /// policies for groups apply to all of them.
    default: Arc<Caller>,
}

impl Development {
    /// With the caller of calls without the header.
    #[must_use]
    pub fn new(default: Caller) -> Self {
        Self { default: Arc::new(default) }
    }

    /// The caller of calls without the header.
    #[must_use]
    pub fn default_caller(&self) -> &Caller {
        &self.default
    }

    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Refusal> {
        let refuse = |problem| Err(Refusal::DevelopmentHeader(problem));
        let mut values = headers.get_all(DEVELOPMENT_HEADER).iter();
        let Some(value) = values.next() else { return Ok(Arc::clone(&self.default)) };
        if values.next().is_some() {
            return refuse("must be sent only once");
        }
        let Ok(id) = Uuid::try_parse_ascii(value.as_bytes()) else { return refuse("must be a UUID") };
        let user = UserId::new(id);
        if user == self.default.user {
            return Ok(Arc::clone(&self.default));
        }
        let groups = self.default.groups.clone();
        Ok(Arc::new(Caller { groups, ..Caller::unproven(user, format!("development user {user}")) }))
    }
}

#[cfg(test)]
mod tests;
