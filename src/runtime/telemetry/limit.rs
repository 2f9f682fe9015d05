//! Limits how many log lines one kind of event writes, so that strangers cannot fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines per interval.
const LINES: u32 = 10;
/// Length of an interval.
const INTERVAL: Duration = Duration::from_secs(10);

/// Admits up to 10 lines in 10 seconds.
#[derive(Debug, Default)]
pub struct LineLimit(Mutex<Option<Interval>>);

#[derive(Debug)]
struct Interval {
    begun: Instant,
    lines: u32,
    suppressed: u64,
}

impl LineLimit {
    /// Whether a line may be written now, and if so, the number of lines suppressed since the last one.
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut interval = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Interval { begun: now, lines: 0, suppressed: 0 };
        let current = interval.get_or_insert(begun);
        if now.saturating_duration_since(current.begun) >= INTERVAL {
            (current.begun, current.lines) = (now, 0);
        }
        if current.lines == LINES {
            current.suppressed += 1;
            return None;
        }
        current.lines += 1;
        Some(std::mem::take(&mut current.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_limit_are_counted_and_reported_later() {
        let (limit, begun) = (LineLimit::default(), Instant::now());
        for _ in 0..LINES {
            assert_eq!(limit.admit_at(begun), Some(0));
        }
        for _ in 0..3 {
            assert_eq!(limit.admit_at(begun + INTERVAL / 2), None);
        }
        assert_eq!(limit.admit_at(begun + INTERVAL), Some(3));
        assert_eq!(limit.admit_at(begun + INTERVAL), Some(0));
    }
}
