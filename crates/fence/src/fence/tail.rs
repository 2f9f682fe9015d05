//! Tails: the last committed record of each partition before the own marker. Partitions are read backwards in growing windows, because
//! any number of markers and aborted records may stand at the end.

use std::collections::BTreeMap;

use super::Marked;
use super::links::Links;
use super::scan::Scan;
use crate::Failure;
use crate::batch::StoredRecord;
use crate::error::malformed;

/// First window, in offsets.
const FIRST_WINDOW: i64 = 64;
/// Factor by which windows grow.
const GROWTH: i64 = 16;
/// Largest window. A window is read to its end, since the last record counts.
const MAX_WINDOW: i64 = 16_384;

/// The end of a partition at the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail<T> {
    /// First offset of the partition; above 0 if records were removed.
    pub start: i64,
    /// Offset of the own marker, behind which the session appends.
    pub marker: i64,
    /// Offset and content of the last record that `select` kept.
    pub last: Option<(i64, T)>,
    /// Offset of the last record, among those read, that `select` did not keep.
    pub foreign: Option<i64>,
}

/// Completes the scans that reached the markers: partitions without a record there are read further back.
pub(super) async fn read<T>(
    links: &mut Links,
    marked: &BTreeMap<i32, Marked>,
    scans: BTreeMap<i32, Scan<T>>,
    select: &impl Fn(&StoredRecord) -> Option<T>,
) -> Result<BTreeMap<i32, Tail<T>>, Failure> {
    let starts = links.starts().await?;
    let mut tails = BTreeMap::new();
    let mut windows = Vec::new();
    for (partition, scan) in scans {
        let start = starts.get(&partition).copied().unwrap_or_default();
        let own = marked.get(&partition).map_or(scan.next, |marked| marked.offset);
        if scan.last.is_none() && scan.from > start {
            windows.push(Window { partition, start, from: start.max(scan.from - FIRST_WINDOW), to: scan.from });
        }
        tails.insert(partition, Tail { start, marker: own, last: scan.last, foreign: scan.foreign });
    }
    while !windows.is_empty() {
        let found = read_windows(links, &windows, select).await?;
        windows = windows.into_iter().filter_map(Window::before).collect();
        for scan in found {
            let Some(tail) = tails.get_mut(&scan.partition) else { continue };
            tail.last = scan.last;
            // What lies behind was read before.
            tail.foreign = tail.foreign.or(scan.foreign);
            if tail.last.is_some() {
                windows.retain(|window| window.partition != scan.partition);
            }
        }
    }
    Ok(tails)
}

/// Offsets of a partition, not before its start.
#[derive(Clone, Copy, Debug)]
struct Window {
    partition: i32,
    start: i64,
    from: i64,
    to: i64,
}

impl Window {
    /// The one before; none if this one begins at the start.
    fn before(self) -> Option<Self> {
        let width = ((self.to - self.from) * GROWTH).min(MAX_WINDOW);
        (self.from > self.start).then(|| Self { from: self.start.max(self.from - width), to: self.from, ..self })
    }
}

async fn read_windows<T>(
    links: &mut Links,
    windows: &[Window],
    select: &impl Fn(&StoredRecord) -> Option<T>,
) -> Result<Vec<Scan<T>>, Failure> {
    let mut open: BTreeMap<i32, (i64, Scan<T>)> = windows
        .iter()
        .map(|window| (window.partition, (window.to, Scan::new(window.partition, window.from))))
        .collect();
    let mut done = Vec::new();
    while !open.is_empty() {
        let from = open.iter().map(|(partition, (_, scan))| (*partition, scan.next)).collect();
        let mut has_moved = false;
        for (partition, fetched) in links.fetch(&from).await? {
            let Some((to, mut scan)) = open.remove(&partition) else { continue };
            let before = scan.next;
            // Compaction and retention leave gaps, also one up to the end of the window.
            let is_behind = fetched.batches.first().is_some_and(|batch| batch.base_offset >= to);
            scan.read(fetched, to, None, select)?;
            has_moved |= scan.next > before || is_behind;
            if scan.next >= to || is_behind {
                done.push(scan);
            } else {
                open.insert(partition, (to, scan));
            }
        }
        if !has_moved {
            return Err(malformed("Fetch", "a broker sends nothing below the high watermark"));
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_a_partition_once_from_its_end() {
        for (start, to) in [(0, 1), (0, 64), (0, 65), (5, 7), (17, 1_000), (0, 2_000_000)] {
            let mut window = Some(Window { partition: 0, start, from: start.max(to - FIRST_WINDOW), to });
            let mut end = to;
            while let Some(current) = window {
                assert_eq!(current.to, end);
                assert!(current.from < current.to && current.to - current.from <= MAX_WINDOW, "{current:?}");
                end = current.from;
                window = current.before();
            }
            assert_eq!(end, start, "{start} to {to}");
        }
    }
}
