//! Which calls may have a key set read again. A caller can put any key id into a token, so this must not cost the issuer a request
//! each time.

use std::time::{Duration, Instant};

/// Minimum time between two reads that calls asked for.
pub(super) const COOLDOWN: Duration = Duration::from_secs(30);

/// Reads of a key set, numbered from 1.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Number of the last read that began.
    begun: u64,
    /// Number of the last read that ended.
    ended: u64,
    /// When a call last caused a read.
    caused: Option<Instant>,
}

/// The answer to a call that asks for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A read with this number must be started for it.
    Begun(u64),
    /// A read with this number is in progress.
    Joined(u64),
    /// There is none so soon after the last one.
    Refused,
}

impl Demand {
    /// Asks for a read on behalf of a call.
    pub(super) fn ask(&mut self, now: Instant) -> Ask {
        if self.is_pending() {
            return Ask::Joined(self.begun);
        }
        if self.caused.is_some_and(|caused| now.saturating_duration_since(caused) < COOLDOWN) {
            return Ask::Refused;
        }
        self.caused = Some(now);
        self.begun += 1;
        Ask::Begun(self.begun)
    }

    /// Begins a read in the background, unless one is in progress.
    pub(super) const fn begin(&mut self) {
        if !self.is_pending() {
            self.begun += 1;
        }
    }

    /// Whether a read has begun and not ended.
    pub(super) const fn is_pending(&self) -> bool {
        self.begun > self.ended
    }

    /// Ends the read in progress, and returns its number.
    pub(super) const fn end(&mut self) -> u64 {
        self.ended = self.begun;
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_share_one_read_and_cause_one_in_thirty_seconds() {
        let (mut demand, start) = (Demand::default(), Instant::now());
        assert_eq!(demand.ask(start), Ask::Begun(1));
        for _ in 0..1_000 {
            assert_eq!(demand.ask(start), Ask::Joined(1));
        }
        assert_eq!(demand.end(), 1);
        for _ in 0..1_000 {
            assert_eq!(demand.ask(start + COOLDOWN / 2), Ask::Refused);
        }
        assert_eq!(demand.ask(start + COOLDOWN), Ask::Begun(2));
        assert_eq!(demand.ask(start + COOLDOWN * 9), Ask::Joined(2));
    }

    #[test]
    fn a_read_in_the_background_is_shared_and_does_not_use_up_that_of_calls() {
        let (mut demand, start) = (Demand::default(), Instant::now());
        demand.begin();
        demand.begin();
        assert_eq!(demand.ask(start), Ask::Joined(1));
        assert_eq!(demand.end(), 1);
        assert_eq!(demand.ask(start), Ask::Begun(2));
        demand.begin();
        assert_eq!((demand.end(), demand.is_pending()), (2, false));
        assert_eq!(demand.ask(start), Ask::Refused);
        demand.begin();
        assert_eq!(demand.ask(start), Ask::Joined(3));
    }
}
