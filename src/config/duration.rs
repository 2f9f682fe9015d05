//! Durations: a whole number and a unit, such as `30s`.

use std::time::Duration;

use super::setting::Setting;

/// Units with their length in milliseconds, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration such as 500ms, 30s, 10m, 24h or 7d";

    fn read(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(millis).map(Self::from_millis)
    }

    fn write(&self) -> String {
        // A time that was read has whole milliseconds, far fewer than a u64 holds.
        let total = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let (unit, millis) =
            UNITS.into_iter().find(|(_, millis)| total > 0 && total % millis == 0).unwrap_or(("ms", 1));
        format!("{}{unit}", total / millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_written_in_its_largest_whole_unit() {
        let cases = [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            ("90s", 90_000, "90s"),
            ("120s", 120_000, "2m"),
            ("24h", 86_400_000, "1d"),
            ("7d", 604_800_000, "7d"),
            ("0s", 0, "0ms"),
        ];
        for (text, millis, written) in cases {
            let time = Duration::read(text).unwrap();
            assert_eq!(time, Duration::from_millis(millis), "{text}");
            assert_eq!(time.write(), written);
            assert_eq!(Duration::read(written), Some(time));
        }
    }

    #[test]
    fn what_is_not_a_number_with_a_unit_is_no_time() {
        for text in ["", "30", "s", "30 s", "-1s", "+1s", "1.5s", "1h30m", "30S", "1w", "99999999999999999999s", "3٣s"]
        {
            assert_eq!(Duration::read(text), None, "{text:?}");
        }
        assert_eq!(Duration::read(&format!("{}d", u64::MAX)), None, "does not fit");
    }
}
