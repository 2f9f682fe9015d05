//! Spreads what would otherwise happen in step.

use std::time::Duration;

use uuid::Uuid;

/// The duration, longer or shorter by up to a tenth, so that what starts together does not stay together.
#[must_use]
pub fn jittered(duration: Duration) -> Duration {
    // The first 32 bits of a version 4 UUID are random (RFC 9562, 5.4).
    let (random, ..) = Uuid::new_v4().as_fields();
    duration.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_becomes_longer_or_shorter_by_a_tenth_at_most() {
        let hour = Duration::from_hours(1);
        let durations: Vec<Duration> = (0..100).map(|_| jittered(hour)).collect();
        let range = hour.mul_f64(0.899)..hour.mul_f64(1.101);
        assert!(durations.iter().all(|duration| range.contains(duration)), "{durations:?}");
        assert!(durations.iter().any(|duration| *duration < hour) && durations.iter().any(|duration| *duration > hour));
    }
}
