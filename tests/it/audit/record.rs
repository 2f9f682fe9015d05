//! The record that an event of the log must become: CloudEvents in binary mode, as the contract specifies.

use chrono::DateTime;

use super::evidence::{LogRow, TopicRecord};

/// Name of each type of event, by its number in the contract.
const TYPES: [(i32, &str); 10] = [
    (1, "cmgate.request.created.v1"),
    (2, "cmgate.request.approval_recorded.v1"),
    (3, "cmgate.request.approved.v1"),
    (4, "cmgate.request.denied.v1"),
    (5, "cmgate.request.started.v1"),
    (6, "cmgate.request.completed.v1"),
    (7, "cmgate.request.failed.v1"),
    (8, "cmgate.request.canceled.v1"),
    (9, "cmgate.request.smartcard_bound.v1"),
    (10, "cmgate.request.smartcard_changed.v1"),
];

/// Header with the shard.
pub(super) const SHARD: &str = "x-shard";
/// Header with the position.
pub(super) const POSITION: &str = "x-pos";

/// Headers of source and time, which are not compared: the source is free, and a time has many forms.
const SOURCE: &str = "ce_source";
const TIME: &str = "ce_time";

/// The difference between a record and its row.
pub(super) fn differences(row: &LogRow, record: &TopicRecord) -> Vec<String> {
    let mut differences = Vec::new();
    if record.key != row.request.to_string().as_bytes() {
        differences.push("key".to_owned());
    }
    if record.value != value(row) {
        differences.push("value".to_owned());
    }
    let expected = headers(row);
    for (name, text) in &expected {
        if header(record, name) != Some(text.as_bytes()) {
            differences.push(format!("header {name}"));
        }
    }
    if header(record, SOURCE).is_none_or(<[u8]>::is_empty) {
        differences.push(format!("header {SOURCE}"));
    }
    if header(record, TIME).and_then(micros) != Some(row.at) {
        differences.push(format!("header {TIME}"));
    }
    let is_expected = |name: &str| name == SOURCE || name == TIME || expected.iter().any(|(other, _)| *other == name);
    for (name, _) in record.headers.iter().filter(|(name, _)| !is_expected(name)) {
        differences.push(format!("header {name}"));
    }
    differences
}

/// The one header of this name; `None` too if there are several.
pub(super) fn header<'r>(record: &'r TopicRecord, name: &str) -> Option<&'r [u8]> {
    let mut found = record.headers.iter().filter(|(other, _)| other == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// The number in a header.
pub(super) fn number<N: std::str::FromStr>(record: &TopicRecord, name: &str) -> Option<N> {
    std::str::from_utf8(header(record, name)?).ok()?.parse().ok()
}

/// Headers whose exact value is known.
pub(super) fn headers(row: &LogRow) -> Vec<(&'static str, String)> {
    let event_type = TYPES.iter().find(|(number, _)| *number == row.event_type).map_or("", |(_, name)| name);
    let mut headers = vec![
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", format!("{}-{}", row.shard, row.position)),
        ("ce_type", event_type.to_owned()),
        ("ce_subject", row.request.to_string()),
        ("content-type", "application/protobuf".to_owned()),
        (SHARD, row.shard.to_string()),
        (POSITION, row.position.to_string()),
        ("x-request-version", row.version.to_string()),
    ];
    headers.extend(row.trace.iter().filter_map(|(name, value)| Some((*name, value.clone()?))));
    headers
}

/// The payload with shard and position appended: fields 14 and 15 as varints, omitted if 0.
pub(super) fn value(row: &LogRow) -> Vec<u8> {
    let mut value = row.payload.clone();
    for (field, number) in [(14, u64::from(row.shard)), (15, row.position)] {
        if number != 0 {
            append_varint(&mut value, field << 3);
            append_varint(&mut value, number);
        }
    }
    value
}

fn append_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
}

fn micros(text: &[u8]) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(std::str::from_utf8(text).ok()?).ok()?;
    Some(time.timestamp_micros())
}
