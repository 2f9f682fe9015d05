//! Readings of the clocks of other servers.

use std::time::{Duration, Instant};

use super::clock::Clock;
use crate::domain::Timestamp;

/// A reading of a server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTime {
    time: Timestamp,
    at: Instant,
    uncertainty: Duration,
}

impl ServerTime {
    /// A reading, truncated to a multiple of `resolution`, that was asked for at `asked` and has arrived now.
    #[must_use]
    pub fn read(time: Timestamp, resolution: Duration, asked: Instant) -> Self {
        let travel = asked.elapsed() / 2;
        let middle = micros(resolution) / 2;
        let time = Timestamp::from_micros(time.micros().saturating_add(middle)).unwrap_or(time);
        Self { time, at: asked + travel, uncertainty: travel + resolution / 2 }
    }

    /// How far the server's clock is ahead of this one for certain, in microseconds; negative if it is behind.
    #[must_use]
    pub fn ahead_of(&self, clock: &Clock) -> i64 {
        let ours = clock.now().micros().saturating_sub(micros(self.at.elapsed()));
        let difference = self.time.micros().saturating_sub(ours);
        let certain = difference.saturating_abs().saturating_sub(micros(self.uncertainty)).max(0);
        certain * difference.signum()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;

    use super::*;

    const NOW: i64 = 1_788_264_000_000_000;
    const HOUR: i64 = 3_600_000_000;

    fn ahead(by: i64, resolution: Duration) -> i64 {
        let clock = Clock::Manual(Arc::new(AtomicI64::new(NOW)));
        let time = Timestamp::from_micros(NOW + by).unwrap();
        ServerTime::read(time, resolution, Instant::now()).ahead_of(&clock)
    }

    #[test]
    fn a_difference_counts_only_beyond_the_uncertainty_of_the_reading() {
        // Within a tenth of a second, which no run of this test needs.
        let is_about = |found: i64, expected: i64| (found - expected).abs() < 100_000;
        assert!(is_about(ahead(HOUR, Duration::ZERO), HOUR));
        assert!(is_about(ahead(-HOUR, Duration::ZERO), -HOUR));
        // A time in whole seconds can be up to one second later.
        assert_eq!(ahead(-500_000, Duration::from_secs(1)), 0);
        assert!(is_about(ahead(-2_000_000, Duration::from_secs(1)), -1_000_000));
        assert!(is_about(ahead(1_000_000, Duration::from_secs(1)), 1_000_000));
    }
}
