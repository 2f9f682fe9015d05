//! The verdict: a pure function of the evidence. Each fault is reported once, by the first invariant that it breaks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::event::Event;
use super::evidence::{Acknowledged, Evidence, LogRow, RequestRow, TopicRecord};
use super::report::{Report, Violation};
use super::{life, partition, record};

/// Checks the evidence.
pub(super) fn check(evidence: &Evidence) -> Report {
    let tables = &evidence.database;
    let log: BTreeMap<(u16, u64), &LogRow> = tables.log.iter().map(|row| ((row.shard, row.position), row)).collect();
    let mut by_request: HashMap<Uuid, Vec<&LogRow>> = HashMap::new();
    for row in log.values() {
        by_request.entry(row.request).or_default().push(row);
    }

    let mut violations = Vec::new();
    check_acknowledged(&evidence.acknowledged, &by_request, &mut violations);
    check_log(&tables.log, &tables.next, &mut violations);
    check_requests(&tables.requests, &by_request, &mut violations);
    let topic = place(&evidence.records, &mut violations);
    check_records(&topic, &log, &tables.next, &mut violations);
    let tails = check_topic(&topic, &tables.next, &tables.checkpoints, &mut violations);
    let unpublished = |(shard, next): (&u16, &u64)| {
        next.saturating_sub(1).saturating_sub(tails.get(shard).copied().unwrap_or_default())
    };
    Report {
        requests: tables.requests.len(),
        events: tables.log.len(),
        records: evidence.records.len(),
        unpublished: tables.next.iter().map(unpublished).sum(),
        acknowledged: evidence.acknowledged.len(),
        violations,
    }
}

fn check_acknowledged(
    acknowledged: &[Acknowledged],
    by_request: &HashMap<Uuid, Vec<&LogRow>>,
    violations: &mut Vec<Violation>,
) {
    for Acknowledged { request, version } in acknowledged {
        let rows = by_request.get(request).map(Vec::as_slice).unwrap_or_default();
        if !rows.iter().any(|row| row.version == *version) {
            violations.push(Violation::AcknowledgedMissing { request: *request, version: *version });
        }
    }
}

/// I2: every shard has the positions from 1 to its head, each once, and each holds an event of its shard.
fn check_log(log: &[LogRow], next: &BTreeMap<u16, u64>, violations: &mut Vec<Violation>) {
    let shards = u16::try_from(next.len()).unwrap_or_default();
    let mut positions: BTreeMap<u16, BTreeSet<u64>> = BTreeMap::new();
    for row in log {
        let LogRow { shard, position, request, .. } = *row;
        if !positions.entry(shard).or_default().insert(position) {
            violations.push(Violation::PositionRepeated { shard, position });
        }
        if shards == 0 || partition::of(request, shards) != shard {
            violations.push(Violation::WrongShard { shard, position, request });
        }
    }
    for shard in next.keys() {
        positions.entry(*shard).or_default();
    }
    for (shard, found) in positions {
        let last = found.last().copied().unwrap_or_default();
        let missing = (1..=last).filter(|position| !found.contains(position));
        violations.extend(missing.map(|position| Violation::PositionMissing { shard, position }));
        let next = next.get(&shard).copied().unwrap_or_default();
        if next != last + 1 {
            violations.push(Violation::HeadWrong { shard, next, last });
        }
    }
}

/// I1 and I4: every request has one event for each of its versions, and they form a legal life.
fn check_requests(requests: &[RequestRow], by_request: &HashMap<Uuid, Vec<&LogRow>>, violations: &mut Vec<Violation>) {
    let known: HashMap<Uuid, &RequestRow> = requests.iter().map(|request| (request.id, request)).collect();
    for (request, rows) in by_request {
        let versions = known.get(request).map_or(0, |request| request.version);
        let unknown = rows.iter().filter(|row| row.version == 0 || row.version > versions);
        violations.extend(unknown.map(|row| Violation::VersionUnknown { request: *request, version: row.version }));
    }
    for request in requests {
        let rows = by_request.get(&request.id).map(Vec::as_slice).unwrap_or_default();
        let before = violations.len();
        for version in 1..=request.version {
            match rows.iter().filter(|row| row.version == version).count() {
                0 => violations.push(Violation::VersionMissing { request: request.id, version }),
                1 => {}
                _ => violations.push(Violation::VersionRepeated { request: request.id, version }),
            }
        }
        // An incomplete life allows no further conclusion.
        if violations.len() == before {
            check_life(request, rows, violations);
        }
    }
}

/// I4: in the order of the log, versions follow each other by legal steps, and time does not go back.
fn check_life(request: &RequestRow, rows: &[&LogRow], violations: &mut Vec<Violation>) {
    let mut status = life::NONE;
    let mut last_at = i64::MIN;
    for (version, row) in (1..).zip(rows) {
        let (shard, position) = (row.shard, row.position);
        if row.version != version {
            return violations.push(Violation::VersionDisordered { request: request.id, version: row.version });
        }
        let event = match read_payload(row) {
            Ok(event) => event,
            Err(what) => return violations.push(Violation::RowContradictory { shard, position, what }),
        };
        if !life::is_legal(status, &event) {
            violations.push(Violation::StepIllegal {
                request: request.id,
                version,
                from: life::status_name(status),
                event: life::event_name(event.kind),
                to: life::status_name(event.status()),
            });
        }
        if row.at < last_at {
            violations.push(Violation::TimeBackwards { request: request.id, version });
        }
        (status, last_at) = (event.status(), row.at);
    }
    if request.status != status {
        violations.push(Violation::StatusWrong { request: request.id });
    }
}

/// The payload of a row, unless it contradicts the row.
fn read_payload(row: &LogRow) -> Result<Event, &'static str> {
    let event = Event::decode(&row.payload).ok_or("it is no event")?;
    let request = event.request.as_ref().ok_or("it has no request")?;
    let claims = [
        (request.id == row.request.to_string(), "request"),
        (request.version == u64::from(row.version), "version"),
        (event.kind == row.event_type, "type"),
        (event.time == Some(row.at), "time"),
        ((event.shard, event.position) == (0, 0), "place"),
    ];
    match claims.into_iter().find(|(is_right, _)| !is_right) {
        Some((_, what)) => Err(what),
        None => Ok(event),
    }
}

/// A record with its shard and position, read from its headers.
struct Placed<'r> {
    shard: u16,
    position: u64,
    record: &'r TopicRecord,
}

/// Reads shard and position of every record; a record without them is foreign.
fn place<'r>(records: &'r [TopicRecord], violations: &mut Vec<Violation>) -> Vec<Placed<'r>> {
    let mut placed = Vec::new();
    for record in records {
        let place = record::number(record, record::SHARD).zip(record::number(record, record::POSITION));
        match place {
            Some((shard, position)) => placed.push(Placed { shard, position, record }),
            None => violations.push(Violation::RecordForeign { partition: record.partition, offset: record.offset }),
        }
    }
    placed
}

/// I5: every record equals the row of its position.
fn check_records(
    topic: &[Placed<'_>],
    log: &BTreeMap<(u16, u64), &LogRow>,
    next: &BTreeMap<u16, u64>,
    violations: &mut Vec<Violation>,
) {
    for Placed { shard, position, record } in topic {
        let (shard, position) = (*shard, *position);
        match log.get(&(shard, position)) {
            Some(row) => {
                let differences = record::differences(row, record);
                violations.extend(differences.into_iter().map(|what| Violation::RecordDiffers {
                    shard,
                    position,
                    what,
                }));
            }
            // Beyond the head, the whole shard is reported as ahead.
            None if next.get(&shard).is_some_and(|next| position >= *next) => {}
            None => violations.push(Violation::RecordWithoutRow { shard, position }),
        }
    }
}

/// I3 and I6: each partition has the positions of its shard from 1 on, each once and in order, and none beyond the database.
/// Returns the last position of each shard.
fn check_topic(
    topic: &[Placed<'_>],
    next: &BTreeMap<u16, u64>,
    checkpoints: &BTreeMap<u16, u64>,
    violations: &mut Vec<Violation>,
) -> BTreeMap<u16, u64> {
    let mut found: BTreeMap<u16, BTreeSet<u64>> = next.keys().map(|shard| (*shard, BTreeSet::new())).collect();
    let mut reached: BTreeMap<u16, u64> = BTreeMap::new();
    for Placed { shard, position, record } in topic {
        let (shard, position, offset) = (*shard, *position, record.offset);
        let is_new = found.entry(shard).or_default().insert(position);
        if record.partition != shard {
            violations.push(Violation::RecordMisplaced { shard, position, partition: record.partition });
            continue;
        }
        let reached = reached.entry(shard).or_default();
        if !is_new {
            violations.push(Violation::RecordRepeated { shard, position, offset });
        } else if position < *reached {
            violations.push(Violation::RecordOutOfOrder { shard, position, offset, after: *reached });
        }
        *reached = position.max(*reached);
    }
    let mut tails = BTreeMap::new();
    for (shard, positions) in found {
        let tail = positions.last().copied().unwrap_or_default();
        let last = next.get(&shard).copied().unwrap_or_default().saturating_sub(1);
        let missing = (1..=tail.min(last)).filter(|position| !positions.contains(position));
        violations.extend(missing.map(|position| Violation::RecordMissing { shard, position }));
        if tail > last {
            violations.push(Violation::TopicAhead { shard, tail, last });
        }
        let checkpoint = checkpoints.get(&shard).copied().unwrap_or_default();
        if checkpoint > tail {
            violations.push(Violation::CheckpointAhead { shard, checkpoint, tail });
        }
        tails.insert(shard, tail);
    }
    tails
}
