//! Sound evidence and ways to alter it.

use cmgate::contract::v1::{Request, RequestEvent, RequestEventType as Type, RequestStatus as Status};
use cmgate::domain::{RequestId, ShardCount};
use prost::Message;
use prost_types::Timestamp;
use uuid::Uuid;

use crate::audit::evidence::{Acknowledged, Evidence, LogRow, RequestRow, TopicRecord};
use crate::audit::record;

pub(super) const SHARDS: u16 = 2;

/// Life of a request that is approved, executed and completed.
pub(super) const COMPLETED: [(Type, Status); 5] = [
    (Type::Created, Status::Pending),
    (Type::ApprovalRecorded, Status::Pending),
    (Type::Approved, Status::Approved),
    (Type::Started, Status::Executing),
    (Type::Completed, Status::Completed),
];
/// Life of a request that is canceled.
pub(super) const CANCELED: [(Type, Status); 2] =
    [(Type::Created, Status::Approved), (Type::Canceled, Status::Canceled)];

/// Eight requests whose events are mixed in two shards, published without fault.
pub(super) fn sound() -> Evidence {
    let lives: Vec<(Uuid, &[(Type, Status)])> =
        (1..=8).map(|id| (Uuid::from_u128(id), if id % 2 == 1 { &COMPLETED[..] } else { &CANCELED[..] })).collect();
    let shards = ShardCount::new(SHARDS).unwrap();
    written(&lives, |request| shards.shard_of(RequestId::new(request)).number())
}

/// One request with this life.
pub(super) fn lived(life: &[(Type, Status)]) -> Evidence {
    let shards = ShardCount::new(SHARDS).unwrap();
    written(&[(Uuid::from_u128(1), life)], |request| shards.shard_of(RequestId::new(request)).number())
}

/// A database with these lives, interleaved, and the topic with their events.
pub(super) fn written(lives: &[(Uuid, &[(Type, Status)])], shard_of: impl Fn(Uuid) -> u16) -> Evidence {
    let mut evidence = Evidence::default();
    evidence.database.next = (0..SHARDS).map(|shard| (shard, 1)).collect();
    let longest = lives.iter().map(|(_, life)| life.len()).max().unwrap_or_default();
    for step in 0..longest {
        for (request, life) in lives.iter().filter(|(_, life)| step < life.len()) {
            let before = step.checked_sub(1).map_or(Status::Unspecified, |before| life[before].1);
            let version = u32::try_from(step + 1).unwrap();
            let at = i64::try_from(step).unwrap() * 1_000_000;
            let shard = shard_of(*request);
            let next = evidence.database.next.get_mut(&shard).unwrap();
            evidence.database.log.push(LogRow {
                shard,
                position: *next,
                request: *request,
                version,
                event_type: life[step].0.into(),
                at,
                trace: [
                    ("ce_correlationid", Some("order-17".to_owned())),
                    ("traceparent", Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned())),
                    ("tracestate", None),
                ],
                payload: event(*request, version, at, before, life[step]).encode_to_vec(),
            });
            *next += 1;
            evidence.acknowledged.push(Acknowledged { request: *request, version });
        }
    }
    let stands = |(request, life): &(Uuid, &[(Type, Status)])| RequestRow {
        id: *request,
        version: u32::try_from(life.len()).unwrap(),
        status: life.last().unwrap().1.into(),
    };
    evidence.database.requests = lives.iter().map(stands).collect();
    republish(&mut evidence);
    evidence
}

pub(super) fn event(
    request: Uuid,
    version: u32,
    at: i64,
    before: Status,
    (event_type, after): (Type, Status),
) -> RequestEvent {
    let request = Request { id: request.to_string(), status: after.into(), version, ..Request::default() };
    RequestEvent {
        r#type: event_type.into(),
        request: Some(request),
        previous_status: before.into(),
        time: Some(Timestamp { seconds: at / 1_000_000, nanos: 0 }),
        ..RequestEvent::default()
    }
}

/// Rebuilds the topic from the log.
pub(super) fn republish(evidence: &mut Evidence) {
    let mut offsets = [0; SHARDS as usize];
    evidence.records.clear();
    for row in &evidence.database.log {
        let offset = &mut offsets[usize::from(row.shard)];
        let headers = record::headers(row).into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes()));
        let time = chrono::DateTime::from_timestamp_micros(row.at).unwrap().to_rfc3339();
        let texts = [("ce_source", "//cmgate"), ("ce_time", time.as_str())];
        evidence.records.push(TopicRecord {
            partition: row.shard,
            offset: *offset,
            timestamp: row.at / 1_000,
            key: row.request.to_string().into_bytes(),
            headers: headers.chain(texts.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))).collect(),
            value: record::value(row),
        });
        // Transaction markers occupy offsets.
        *offset += 2;
    }
}

/// Alters the payload of a row of the log by its position in the one shard that has any, and publishes that.
pub(super) fn rewrite(evidence: &mut Evidence, position: u64, alter: impl FnOnce(&mut RequestEvent)) {
    let row = evidence.database.log.iter_mut().find(|row| row.position == position).unwrap();
    let mut event = RequestEvent::decode(row.payload.as_slice()).unwrap();
    alter(&mut event);
    row.payload = event.encode_to_vec();
    republish(evidence);
}

/// Reverts requests to their state before these events.
pub(super) fn undo(evidence: &mut Evidence, lost: &[LogRow]) {
    for row in lost {
        let event = RequestEvent::decode(row.payload.as_slice()).unwrap();
        let request = evidence.database.requests.iter_mut().find(|request| request.id == row.request).unwrap();
        if request.version >= row.version {
            request.version = row.version - 1;
            request.status = event.previous_status;
        }
    }
}

pub(super) fn row(evidence: &Evidence, shard: u16, position: u64) -> &LogRow {
    evidence.database.log.iter().find(|row| (row.shard, row.position) == (shard, position)).unwrap()
}

/// Index of the record with this position.
pub(super) fn index(evidence: &Evidence, shard: u16, position: u64) -> usize {
    let id = format!("{shard}-{position}").into_bytes();
    let has_id = |record: &TopicRecord| record.headers.iter().any(|(name, value)| name == "ce_id" && *value == id);
    evidence.records.iter().position(has_id).unwrap()
}
