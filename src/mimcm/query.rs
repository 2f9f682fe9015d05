//! Query parameters, with names in any case.

use axum::extract::Query as UrlQuery;
use http::Uri;

use crate::domain::Refusal;
use crate::service::Violations;

/// The query parameters of a call.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the query cannot be decoded.
    pub(super) fn of(uri: &Uri) -> Result<Self, Refusal> {
        let parameters = UrlQuery::try_from_uri(uri).map_err(|_| Refusal::invalid("The query", "cannot be read"))?;
        Ok(Self(parameters.0))
    }

    /// The value of a parameter without surrounding spaces; empty if it is absent.
    pub(super) fn get(&self, name: &str, violations: &mut Violations) -> &str {
        let mut given = self.0.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = given.next().map_or("", |(_, value)| value.trim_matches(' '));
        if given.next().is_some() {
            violations.add(name, "must be given once");
        }
        value
    }

    /// Whether `targetuser` selects the caller; any other value is a violation.
    pub(super) fn is_about_caller(&self, violations: &mut Violations) -> bool {
        let target = self.get("targetuser", violations);
        let is_caller = target.eq_ignore_ascii_case("current");
        if !is_caller && !target.is_empty() {
            violations.add("targetuser", "must be current, the only value that is offered");
        }
        is_caller
    }
}
