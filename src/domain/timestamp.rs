//! Points in time with microsecond resolution, which both stores keep exactly.

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};

/// A point in time in UTC, in whole microseconds, so that a stored value reads back equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The time, truncated to the microsecond.
    #[must_use]
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }

    /// The time at this number of microseconds since 1970; `None` if it is out of range.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The same time as a chrono value.
    #[must_use]
    pub const fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The day in UTC.
    #[must_use]
    pub fn day(self) -> NaiveDate {
        self.0.date_naive()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::Timestamp;

    #[test]
    fn a_time_keeps_whole_microseconds() {
        let exact = Utc.timestamp_opt(1_436_312_181, 930_123_456).single().unwrap();
        let time = Timestamp::new(exact);
        assert_eq!(time.micros(), 1_436_312_181_930_123);
        assert_eq!(Timestamp::from_micros(time.micros()), Some(time));
    }

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let midnight = 1_436_313_600_000_000; // 2015-07-08T00:00:00Z
        let day = |micros| Timestamp::from_micros(micros).unwrap().day().to_string();
        assert_eq!((day(midnight - 1).as_str(), day(midnight).as_str()), ("2015-07-07", "2015-07-08"));
    }

    #[test]
    fn a_time_that_cannot_be_shown_is_none() {
        assert_eq!(Timestamp::from_micros(i64::MAX), None);
    }
}
