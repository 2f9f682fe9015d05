//! `[limits.caller]`, `[[limits.callers]]` and the key `limits` of entries of `[auth]`: limits on the calls of each caller.

use serde::{Deserialize, Serialize};

use super::super::error::{Invalid, require_within};
use super::super::setting;
use crate::domain::Principal;

/// `[limits.caller]`: limits on each caller without limits of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeneralCallerLimits {
    /// Calls per second; 0 for any number. Default: 0 in development, 1000 in production.
    #[serde(deserialize_with = "setting::deserialize")]
    pub rate: u32,
    /// Calls that may begin at once after a pause; 0 for twice the rate. Default: 0.
    #[serde(deserialize_with = "setting::deserialize")]
    pub burst: u32,
    /// Calls in flight; 0 for any number. Default: 0 in development, 512 in production.
    #[serde(deserialize_with = "setting::deserialize")]
    pub calls: u32,
}

/// `limits` of an entry of `[auth]`: limits on each of its callers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallerLimits {
    /// Calls per second; 0 for any number. Default: that of `[limits.caller]`.
    #[serde(deserialize_with = "setting::optional::deserialize", skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Calls that may begin at once after a pause; 0 for twice the rate. Default: 0 with a rate, else that of `[limits.caller]`.
    #[serde(deserialize_with = "setting::optional::deserialize", skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Calls in flight; 0 for any number. Default: that of `[limits.caller]`.
    #[serde(deserialize_with = "setting::optional::deserialize", skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
}

/// `[[limits.callers]]`: limits on one caller, whatever proves its identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerLimitEntry {
    /// The user's UUID, or the SID of the account.
    #[serde(with = "setting")]
    pub user: Principal,
    /// As in [`CallerLimits`].
    #[serde(default, deserialize_with = "setting::optional::deserialize", skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// As in [`CallerLimits`].
    #[serde(default, deserialize_with = "setting::optional::deserialize", skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// As in [`CallerLimits`].
    #[serde(default, deserialize_with = "setting::optional::deserialize", skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
}

/// Largest limit of each kind.
const MAX: u32 = 1_000_000;

impl GeneralCallerLimits {
    /// The defaults of the production mode, far above what a person or a service needs that makes one call per certificate, and
    /// below what one process serves: 10,000 calls a second, and 6,000 in flight in the default memory.
    pub(in super::super) const PRODUCTION: Self = Self { rate: 1_000, burst: 0, calls: 512 };

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let limits = CallerLimits { rate: Some(self.rate), burst: Some(self.burst), calls: Some(self.calls) };
        limits.check(|name| format!("limits.caller.{name}"))
    }
}

impl CallerLimits {
    /// Checks the limits of an entry; `key` makes the full key of a setting of the entry from its name.
    pub(in super::super) fn check_of_entry(own: Option<&Self>, key: impl Fn(&str) -> String) -> Result<(), Invalid> {
        own.map_or(Ok(()), |own| own.check(|name| key(&format!("limits.{name}"))))
    }

    /// Checks the limits; `key` makes the full key of a setting from its name.
    pub(super) fn check(&self, key: impl Fn(&str) -> String) -> Result<(), Invalid> {
        let numbers = [("rate", self.rate), ("burst", self.burst), ("calls", self.calls)];
        numbers
            .into_iter()
            .filter_map(|(name, number)| Some((name, number?)))
            .try_for_each(|(name, number)| require_within(key(name), &number, &(0..=MAX)))
    }
}

impl CallerLimitEntry {
    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> CallerLimits {
        CallerLimits { rate: self.rate, burst: self.burst, calls: self.calls }
    }
}

#[cfg(test)]
mod tests;
