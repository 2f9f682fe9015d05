//! Limits on the calls of each caller: so many per second, and so many at the same time. A caller that exceeds them is refused, so
//! that it does not slow down the others.

mod bucket;
mod table;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use self::table::{Refused, Table};
use crate::domain::{Caller, Sid, UserId};
use crate::runtime::telemetry::{LineLimit, names};

pub use bucket::Rate;
pub use table::InFlight;

/// Labels of metrics: the limits, and the entry of a caller without one.
const RATE: &str = "rate";
const CALLS: &str = "calls";
const LIMITS: [&str; 2] = [RATE, CALLS];
const NO_ENTRY: &str = "none";

/// The limits of one caller. The default has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerLimit {
    /// How many calls may begin; `None` for any number.
    pub rate: Option<Rate>,
    /// How many calls may be in flight; `None` for any number.
    pub calls: Option<NonZeroU32>,
}

/// The limits of all callers. The limit of its user id applies to a caller, else that of its SID, else that of the entry that proved
/// its identity, else the general one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerLimitSettings {
    /// The general limit, of each caller for itself.
    pub general: CallerLimit,
    /// Limits of each caller of an entry, by the name of the entry.
    pub entries: HashMap<Arc<str>, CallerLimit>,
    /// Limits of single callers by their user ids.
    pub users: HashMap<UserId, CallerLimit>,
    /// Limits of single callers by the SIDs of their accounts.
    pub sids: HashMap<Sid, CallerLimit>,
}

/// Why a call is refused. `Display` is the message for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Exceeded {
    /// The caller calls too often.
    #[error("the caller exceeds its limit of {} calls per second; retry later", .0.per_second)]
    Rate(Rate),
    /// The caller has too many calls in flight.
    #[error("the caller has {0} calls in flight, which is its limit; retry when one of them has ended")]
    Calls(NonZeroU32),
}

/// Applies the limits. The state of a caller is its rate and its calls in flight, whatever proves its identity.
#[derive(Debug)]
pub struct CallerLimits {
    settings: CallerLimitSettings,
    table: Table,
    /// The origin of the times in the table.
    begun: Instant,
    lines: LineLimit,
}

impl CallerLimits {
    /// Applies these limits.
    #[must_use]
    pub fn new(settings: CallerLimitSettings) -> Self {
        Self { settings, table: Table::new(), begun: Instant::now(), lines: LineLimit::default() }
    }

    /// Begins the counters of these entries, so that monitoring sees the first refusal as a change.
    pub fn begin_counting(entries: impl IntoIterator<Item = Arc<str>>) {
        for entry in entries.into_iter().chain([Arc::from(NO_ENTRY)]) {
            for limit in LIMITS {
                metrics::counter!(names::CALLS_OVER_LIMIT, "entry" => Arc::clone(&entry), "limit" => limit)
                    .increment(0);
            }
        }
    }

    /// Admits a call of a caller, which is in flight until the result is dropped.
    ///
    /// # Errors
    /// The caller exceeds a limit. The refusal is counted, and logged at a limited rate.
    pub fn admit(&self, caller: &Caller) -> Result<InFlight, Exceeded> {
        let limit = self.settings.of(caller);
        if limit == CallerLimit::default() {
            return Ok(InFlight::default());
        }
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.table.admit(caller.user, limit, now).map_err(|refused| {
            self.report(caller, refused);
            refused.exceeded
        })
    }

    fn report(&self, caller: &Caller, Refused { exceeded, line }: Refused) {
        let entry = caller.proof.entry.clone().unwrap_or_else(|| Arc::from(NO_ENTRY));
        metrics::counter!(names::CALLS_OVER_LIMIT, "entry" => entry, "limit" => exceeded.limit()).increment(1);
        let Some(refused) = line else { return };
        let Some(suppressed) = self.lines.admit() else { return };
        let (actor, entry) = (caller.actor(), caller.proof.entry.as_deref());
        tracing::warn!(user = %actor.user, name = actor.name, entry, limit = exceeded.limit(), refused, suppressed, "call refused: {exceeded}");
    }
}

impl CallerLimitSettings {
    fn of(&self, caller: &Caller) -> CallerLimit {
        let of_sid = || self.sids.get(caller.sid.as_ref()?);
        let of_entry = || self.entries.get(caller.proof.entry.as_ref()?);
        let own = self.users.get(&caller.user).or_else(of_sid).or_else(of_entry);
        own.copied().unwrap_or(self.general)
    }
}

impl Exceeded {
    /// Name of the limit: a label of metrics and of the log.
    const fn limit(self) -> &'static str {
        match self {
            Self::Rate(_) => RATE,
            Self::Calls(_) => CALLS,
        }
    }
}

#[cfg(test)]
mod tests;
