//! The record of an event: CloudEvents 1.0 in the binary mode of its Kafka binding, with a protobuf value.

use chrono::SecondsFormat;
use rdkafka::message::{Header, Headers, OwnedHeaders};

use crate::contract;
use crate::domain::Position;
use crate::store::LoggedEvent;

/// Header with the shard.
const SHARD: &str = "x-shard";
/// Header with the position in the shard, which is also the relay's cursor.
const POSITION: &str = "x-pos";
/// Header with the version of the request.
const VERSION: &str = "x-request-version";

/// What is published of one event.
#[derive(Debug)]
pub struct Record {
    /// Partition, the shard of the event.
    pub partition: i32,
    /// Key, the id of the request.
    pub key: String,
    /// Value, a `cmgate.v1.RequestEvent`.
    pub value: Vec<u8>,
    /// Headers.
    pub headers: OwnedHeaders,
}

impl Record {
    /// The record of an event, told by `source`.
    #[must_use]
    pub fn new(event: &LoggedEvent, source: &str) -> Self {
        let key = event.request.to_string();
        let id = format!("{}-{}", event.shard, event.position);
        let time = event.at.utc().to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut headers = OwnedHeaders::new_with_capacity(11)
            .insert(header("ce_specversion", "1.0"))
            .insert(header("ce_id", &id))
            .insert(header("ce_source", source))
            .insert(header("ce_type", event.event_type.name()))
            .insert(header("ce_subject", &key))
            .insert(header("ce_time", &time))
            .insert(header("content-type", "application/protobuf"))
            .insert(header(SHARD, &event.shard.to_string()))
            .insert(header(POSITION, &event.position.to_string()))
            .insert(header(VERSION, &event.version.to_string()));
        if let Some(traceparent) = &event.traceparent {
            headers = headers.insert(header("traceparent", traceparent));
        }
        Self {
            partition: event.shard.number().into(),
            value: contract::place_event(&event.payload, event.shard, event.position),
            key,
            headers,
        }
    }
}

/// The position that the headers of a record tell, if this service wrote it.
pub(super) fn position<H: Headers>(headers: Option<&H>) -> Option<Position> {
    let header = headers?.iter().find(|header| header.key == POSITION)?;
    let text = std::str::from_utf8(header.value?).ok()?;
    text.parse().ok().map(Position::new)
}

fn header<'a>(key: &'a str, value: &'a str) -> Header<'a, &'a str> {
    Header { key, value: Some(value) }
}
