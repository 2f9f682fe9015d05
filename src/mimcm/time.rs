//! Formats times like Json.NET: UTC in milliseconds, without trailing zeros in the fraction.

use crate::domain::Timestamp;

/// A time that is not set, `DateTime.MinValue`; it has no time zone, hence no `Z`.
pub(super) const UNSET: &str = "0001-01-01T00:00:00";

/// Formats a time, truncated to milliseconds: `2015-07-07T23:36:21.93Z`.
pub(super) fn show(time: Timestamp) -> String {
    let utc = time.utc();
    let seconds = utc.format("%Y-%m-%dT%H:%M:%S");
    let fraction = format!(".{:03}", utc.timestamp_subsec_millis());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{seconds}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::show;
    use crate::domain::Timestamp;

    #[test]
    fn trailing_zeros_are_omitted() {
        // 2015-07-07T23:36:21Z
        let second = 1_436_312_181_000_000;
        for (micros, expected) in [
            (930_000, "2015-07-07T23:36:21.93Z"),
            (133_000, "2015-07-07T23:36:21.133Z"),
            (767_999, "2015-07-07T23:36:21.767Z"),
            (0, "2015-07-07T23:36:21Z"),
            (999, "2015-07-07T23:36:21Z"),
            (1_000, "2015-07-07T23:36:21.001Z"),
            (100_000, "2015-07-07T23:36:21.1Z"),
        ] {
            assert_eq!(show(Timestamp::from_micros(second + micros).unwrap()), expected);
        }
    }
}
