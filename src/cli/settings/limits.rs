//! The limits of each caller, from the configuration.

use std::num::NonZeroU32;

use crate::config::{CallerLimits, Config, GeneralCallerLimits, NegotiateEntry, ProxyEntry};
use crate::domain::Principal;
use crate::service::{CallerLimit, CallerLimitSettings, Rate};

pub(super) fn callers(config: &Config) -> CallerLimitSettings {
    let general = &config.limits.caller;
    let auth = &config.auth;
    let tokens = auth.jwt.iter().map(|entry| (entry.name.as_str(), entry.limits.as_ref()));
    let certificates = auth.certificate.iter().map(|entry| (entry.name.as_str(), entry.limits.as_ref()));
    let negotiate = auth.negotiate.iter().map(|entry| (NegotiateEntry::NAME, entry.limits.as_ref()));
    let proxy = auth.proxy.iter().map(|entry| (ProxyEntry::NAME, entry.limits.as_ref()));
    let entries = tokens.chain(certificates).chain(negotiate).chain(proxy);
    let entries = entries.filter_map(|(name, own)| Some((name.into(), limit(own?, general)))).collect();

    let mut settings = CallerLimitSettings {
        general: limit(&CallerLimits::default(), general),
        entries,
        ..CallerLimitSettings::default()
    };
    for entry in &config.limits.callers {
        let limit = limit(&entry.limits(), general);
        match &entry.user {
            Principal::User(user) => drop(settings.users.insert(*user, limit)),
            Principal::Group(sid) => drop(settings.sids.insert(sid.clone(), limit)),
        }
    }
    settings
}

/// The limits of an entry: its own, else the general ones.
fn limit(own: &CallerLimits, general: &GeneralCallerLimits) -> CallerLimit {
    let (per_second, burst) = match own.rate {
        Some(rate) => (rate, own.burst.unwrap_or(0)),
        None => (general.rate, own.burst.unwrap_or(general.burst)),
    };
    let rate = NonZeroU32::new(per_second).map(|per_second| {
        let burst = NonZeroU32::new(burst).unwrap_or(per_second.saturating_add(per_second.get()));
        Rate { per_second, burst }
    });
    CallerLimit { rate, calls: NonZeroU32::new(own.calls.unwrap_or(general.calls)) }
}

#[cfg(test)]
mod tests;
