//! Which audit lines are written: a flood of refused calls costs a bounded number of lines and a bounded table, and the others are
//! counted.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Length of an interval.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// Lines about one check in an interval.
const LINES_OF_CHECK: u32 = 20;
/// Lines about one check and one address in an interval, so that a flood from one address leaves lines for the others.
const LINES_OF_PEER: u32 = 5;
/// Maximum number of addresses in the table, for all checks together.
const MAX_PEERS: usize = 4_096;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is written.
    Write,
    /// It is left out.
    LeaveOut,
    /// It is left out, as the first one since the last report.
    LeaveOutFirst,
}

/// The lines of the current interval. An interval begins with its first line.
#[derive(Debug)]
pub(super) struct Lines {
    begun: Option<Instant>,
    checks: HashMap<&'static str, u32>,
    /// `None` stands for the unix socket.
    peers: HashMap<(&'static str, Option<IpAddr>), u32>,
    left_out: BTreeMap<&'static str, u64>,
    max_peers: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            begun: None,
            checks: HashMap::new(),
            peers: HashMap::new(),
            left_out: BTreeMap::new(),
            max_peers: MAX_PEERS,
        }
    }
}

impl Lines {
    /// Decides about a line. Checks are few and not chosen by callers.
    pub(super) fn admit(&mut self, check: &'static str, peer: Option<IpAddr>, now: Instant) -> Verdict {
        if self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= INTERVAL) {
            self.begun = Some(now);
            self.checks.clear();
            self.peers.clear();
        }
        if self.fits(check, peer) {
            return Verdict::Write;
        }
        let is_first = self.left_out.is_empty();
        *self.left_out.entry(check).or_default() += 1;
        if is_first { Verdict::LeaveOutFirst } else { Verdict::LeaveOut }
    }

    fn fits(&mut self, check: &'static str, peer: Option<IpAddr>) -> bool {
        let of_check = self.checks.entry(check).or_default();
        if *of_check >= LINES_OF_CHECK {
            return false;
        }
        let has_room = self.peers.len() < self.max_peers;
        let key = (check, peer);
        match self.peers.get_mut(&key) {
            Some(lines) if *lines >= LINES_OF_PEER => return false,
            Some(lines) => *lines += 1,
            None if has_room => drop(self.peers.insert(key, 1)),
            // The limit of the check still holds.
            None => {}
        }
        *of_check += 1;
        true
    }

    /// Takes the number of lines left out since the last report, by check.
    pub(super) fn take_left_out(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    /// How many of this number of lines are written.
    fn written(
        lines: &mut Lines,
        check: &'static str,
        peers: impl Iterator<Item = Option<IpAddr>>,
        now: Instant,
    ) -> usize {
        peers.filter(|peer| lines.admit(check, *peer, now) == Verdict::Write).count()
    }

    #[test]
    fn a_flood_from_one_address_leaves_lines_for_the_others() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(Some(peer(1)), 10_000), now), 5);
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(Some(peer(2)), 10_000), now), 5);
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(None, 10_000), now), 5);
        assert_eq!(written(&mut lines, "issuer", std::iter::repeat_n(Some(peer(1)), 10_000), now), 5);
        assert_eq!(lines.take_left_out(), BTreeMap::from([("expired", 29_985), ("issuer", 9_995)]));
        assert_eq!(lines.take_left_out(), BTreeMap::new());
    }

    #[test]
    fn a_flood_from_many_addresses_is_bounded_in_lines_and_memory() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        assert_eq!(written(&mut lines, "expired", (0..100_000).map(|number| Some(peer(number))), now), 20);
        assert!(lines.peers.len() <= 20);
        let mut small = Lines { max_peers: 3, ..Lines::default() };
        assert_eq!(written(&mut small, "expired", (0..100).map(|number| Some(peer(number))), now), 20);
        assert_eq!(small.peers.len(), 3);
    }

    #[test]
    fn an_interval_begins_with_its_first_line() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let at = |part: f64| start + INTERVAL.mul_f64(part);
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(Some(peer(1)), 9), start), 5);
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(Some(peer(1)), 9), at(0.999)), 0);
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(Some(peer(1)), 9), at(1.5)), 5);
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(Some(peer(1)), 9), at(2.499)), 0);
        assert_eq!(written(&mut lines, "expired", std::iter::repeat_n(Some(peer(1)), 9), at(2.5)), 5);
    }

    #[test]
    fn the_first_line_left_out_is_told_apart_until_the_report() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        let verdicts: Vec<_> = (0..7).map(|_| lines.admit("expired", None, now)).collect();
        assert_eq!(verdicts[4..], [Verdict::Write, Verdict::LeaveOutFirst, Verdict::LeaveOut]);
        lines.take_left_out();
        assert_eq!(lines.admit("expired", None, now), Verdict::LeaveOutFirst);
    }
}
