//! Limits how many log lines one kind of event writes, so that strangers cannot fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines per interval by default.
const LINES: u32 = 10;
/// Length of an interval by default.
const INTERVAL: Duration = Duration::from_secs(10);

/// Admits a number of lines per interval, by default 10 in 10 seconds. An interval begins with its first line.
#[derive(Debug)]
pub struct LineLimit {
    lines: u32,
    interval: Duration,
    current: Mutex<Option<Interval>>,
}

#[derive(Debug)]
struct Interval {
    begun: Instant,
    lines: u32,
    suppressed: u64,
}

impl Default for LineLimit {
    fn default() -> Self {
        Self::new(LINES, INTERVAL)
    }
}

impl LineLimit {
    /// Admits this number of lines per interval.
    #[must_use]
    pub const fn new(lines: u32, interval: Duration) -> Self {
        Self { lines, interval, current: Mutex::new(None) }
    }

    /// Whether a line may be written now, and if so, the number of lines suppressed since the last one.
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let current = current.get_or_insert(Interval { begun: now, lines: 0, suppressed: 0 });
        if now.saturating_duration_since(current.begun) >= self.interval {
            (current.begun, current.lines) = (now, 0);
        }
        if current.lines == self.lines {
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

    #[test]
    fn single_lines_are_an_interval_apart_and_tell_how_many_were_left_out() {
        const SECOND: Duration = Duration::from_secs(1);
        let (limit, start) = (LineLimit::new(1, SECOND), Instant::now());
        assert_eq!(limit.admit_at(start), Some(0));
        for _ in 0..999 {
            assert_eq!(limit.admit_at(start + SECOND / 2), None);
        }
        assert_eq!(limit.admit_at(start + SECOND), Some(999));
        assert_eq!(limit.admit_at(start + SECOND * 2), Some(0));
    }
}
