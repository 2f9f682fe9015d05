//! The clocks of other servers against the one of this machine.

use std::time::Duration;

use super::report::Finding;
use crate::http::auth::ProofSettings;
use crate::runtime::clock::Clock;
use crate::runtime::server_time::ServerTime;

/// The tolerance if no issuer has one.
const DEFAULT: Duration = Duration::from_secs(30);

/// The smallest difference of clocks that an issuer's entry tolerates.
pub(super) fn tolerance(proofs: Option<&ProofSettings>) -> Duration {
    let skews = proofs.into_iter().flat_map(|proofs| &proofs.tokens).map(|entry| entry.issuer.skew);
    skews.min().unwrap_or(DEFAULT)
}

/// Compares a reading of a server's clock with the clock of this machine.
pub(super) fn compare(server: &str, reading: &ServerTime, clock: &Clock, tolerance: Duration) -> Finding {
    let ahead = reading.ahead_of(clock);
    let subject = format!("clock ({server})");
    let difference = Duration::from_micros(ahead.unsigned_abs());
    if difference.is_zero() {
        return Finding::ok(subject, "agrees with the clock of this machine");
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let text = format!("{:.1} s {direction} the clock of this machine", difference.as_secs_f64());
    if difference <= tolerance {
        return Finding::ok(subject, text);
    }
    let advice = format!("synchronise both clocks; at most {} s are tolerated", tolerance.as_secs_f32());
    Finding::warning(subject, text, &advice)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;
    use std::time::Instant;

    use super::super::report::Level;
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn a_difference_beyond_the_tolerance_is_a_warning() {
        const NOW: i64 = 1_788_264_000_000_000;
        let clock = Clock::Manual(Arc::new(AtomicI64::new(NOW)));
        let tolerance = Duration::from_secs(30);
        for (seconds, level, direction) in [
            (0, Level::Ok, ""),
            (-20, Level::Ok, "behind"),
            (20, Level::Ok, "ahead of"),
            (40, Level::Warning, "ahead of"),
            (-3_600, Level::Warning, "behind"),
        ] {
            let time = Timestamp::from_micros(NOW + seconds * 1_000_000).unwrap();
            let reading = ServerTime::read(time, Duration::from_secs(1), Instant::now());
            let finding = compare("database", &reading, &clock, tolerance);
            assert_eq!((finding.level, finding.advice.is_some()), (level, level == Level::Warning), "{finding}");
            assert!(finding.subject == "clock (database)" && finding.text.contains(direction), "{finding}");
        }
    }
}
