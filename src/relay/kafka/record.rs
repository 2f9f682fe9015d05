//! The record of an event: CloudEvents 1.0 in the binary mode of its Kafka binding, with a protobuf value.

use chrono::SecondsFormat;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};

use crate::contract;
use crate::domain::{CorrelationId, Position, RequestId, Trace, Version};
use crate::store::LoggedEvent;

/// Header with the shard.
const SHARD: &str = "x-shard";
/// Header with the position in the shard, which is also the relay's cursor.
const POSITION: &str = "x-pos";
/// Header with the version of the request.
const VERSION: &str = "x-request-version";

/// Header with the correlation id of the call, the extension attribute `correlationid` of CloudEvents.
const CORRELATION: &str = "ce_correlationid";

/// Most bytes of the lengths of a header: two numbers.
const HEADER_OVERHEAD: usize = 10;
/// Most bytes of a record beside key, value and headers: lengths, time and place in the batch.
const RECORD_OVERHEAD: usize = 36;

/// The Kafka record of one event.
#[derive(Debug)]
pub struct Record {
    /// Partition, the shard of the event.
    pub partition: i32,
    /// Key, the id of the request.
    pub key: String,
    /// Value, a `cmgate.v1.RequestEvent`.
    pub value: Vec<u8>,
    /// CloudEvents attributes, shard, position and trace context.
    pub headers: OwnedHeaders,
}

impl Record {
    /// The record of an event; `source` is its `ce_source`.
    #[must_use]
    pub fn new(event: &LoggedEvent, source: &str) -> Self {
        let key = event.request.to_string();
        let id = format!("{}-{}", event.shard, event.position);
        let time = event.at.utc().to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut headers = OwnedHeaders::new_with_capacity(13)
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
        let Trace { correlation, traceparent, tracestate } = &event.trace;
        for (name, value) in [
            (CORRELATION, correlation.as_ref().map(CorrelationId::as_str)),
            ("traceparent", traceparent.as_deref()),
            ("tracestate", tracestate.as_deref()),
        ] {
            if let Some(value) = value {
                headers = headers.insert(header(name, value));
            }
        }
        Self {
            partition: event.shard.number().into(),
            value: contract::with_position(&event.payload, event.shard, event.position),
            key,
            headers,
        }
    }

    /// Upper bound of its size in a batch.
    pub(super) fn size(&self) -> usize {
        let header =
            |header: Header<'_, &[u8]>| header.key.len() + header.value.map_or(0, <[u8]>::len) + HEADER_OVERHEAD;
        self.key.len() + self.value.len() + self.headers.iter().map(header).sum::<usize>() + RECORD_OVERHEAD
    }
}

/// The identity of an event, as the record that publishes it carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its position in the shard.
    pub position: Position,
    /// The request that changed.
    pub request: RequestId,
    /// The version of the request after the change.
    pub version: Version,
}

impl PublishedEvent {
    /// Reads key and headers of a record; `None` if this service did not write it.
    pub(super) fn read<M: Message>(record: &M) -> Option<Self> {
        let headers = record.headers()?;
        Self::from_parts(record.key(), |wanted| headers.iter().find(|header| header.key == wanted)?.value)
    }

    /// Reads a key and headers, which `find` finds by name; `None` if this service did not write them.
    pub(super) fn from_parts<'a>(key: Option<&'a [u8]>, find: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Self> {
        let header = |name| std::str::from_utf8(find(name)?).ok();
        Some(Self {
            position: Position::new(header(POSITION)?.parse().ok()?),
            request: std::str::from_utf8(key?).ok()?.parse().ok()?,
            version: Version::new(header(VERSION)?.parse().ok()?),
        })
    }

    /// Whether it is this event of the log.
    #[must_use]
    pub fn is(&self, event: &LoggedEvent) -> bool {
        (self.position, self.request, self.version) == (event.position, event.request, event.version)
    }
}

fn header<'a>(key: &'a str, value: &'a str) -> Header<'a, &'a str> {
    Header { key, value: Some(value) }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Headers;

    use super::Record;
    use crate::contract::MAX_EVENT_BYTES;
    use crate::domain::{EventType, Position, RequestId, Shard, Timestamp, Trace, Version};
    use crate::store::LoggedEvent;

    /// `message.max.bytes` of librdkafka; `max.message.bytes` of a topic is 48,588 bytes more.
    const PRODUCER_MAX_BYTES: usize = 1_000_000;
    /// Header of a batch of one record.
    const BATCH_BYTES: usize = 61;
    /// The longest variable-length integer of a record.
    const VARINT_BYTES: usize = 10;

    #[test]
    fn the_longest_event_fits_into_a_message_with_its_headers() {
        let source = "s".repeat(1_000);
        for event_type in EventType::ALL {
            let event = LoggedEvent {
                shard: Shard::new(1_023),
                position: Position::new(u64::MAX),
                request: RequestId::new(uuid::Uuid::max()),
                version: Version::new(u32::MAX),
                event_type,
                at: Timestamp::from_micros(0).unwrap(),
                trace: Trace {
                    correlation: Some("0".repeat(128).parse().unwrap()),
                    traceparent: Some("0".repeat(512)),
                    tracestate: Some("0".repeat(512)),
                },
                payload: vec![0; MAX_EVENT_BYTES].into(),
            };
            let record = Record::new(&event, &source);
            let header =
                |name: &str, value: Option<&[u8]>| name.len() + value.map_or(0, <[u8]>::len) + 2 * VARINT_BYTES;
            let headers: usize = record.headers.iter().map(|it| header(it.key, it.value)).sum();
            let bytes = BATCH_BYTES + 7 * VARINT_BYTES + record.key.len() + record.value.len() + headers;
            assert!(bytes < PRODUCER_MAX_BYTES, "{}: {bytes}", event_type.name());
        }
    }
}
