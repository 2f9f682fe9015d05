//! What a consumer who knows only the contract can learn from the topic and check.

use std::collections::HashMap;

use cmgate::contract::v1::{Request, RequestEvent};
use prost::Message;

use crate::audit::TopicRecord;

/// The requests as of their last events. Checks the guarantee of the README: the positions of each partition are 1, 2, 3, ...,
/// and so are the versions of each request.
pub(super) fn last_states(records: &[TopicRecord]) -> HashMap<String, Request> {
    let mut positions: HashMap<u16, u64> = HashMap::new();
    let mut last: HashMap<String, Request> = HashMap::new();
    for record in records {
        let event = RequestEvent::decode(record.value.as_slice()).unwrap();
        let position = positions.entry(record.partition).or_default();
        *position += 1;
        assert_eq!((event.shard, event.position), (record.partition.into(), *position), "{event:?}");
        assert_eq!(header(record, "x-pos"), position.to_string());
        assert_eq!(header(record, "ce_id"), format!("{}-{position}", record.partition));

        let request = event.request.unwrap();
        assert_eq!(record.key, request.id.as_bytes(), "the key is the id of the request");
        let before = last.get(&request.id);
        assert_eq!(request.version, before.map_or(0, |before| before.version) + 1, "{request:?}");
        assert_eq!(header(record, "x-request-version"), request.version.to_string());
        assert_eq!(event.previous_status, before.map_or(0, |before| before.status), "{request:?}");
        last.insert(request.id.clone(), request);
    }
    last
}

fn header<'r>(record: &'r TopicRecord, name: &str) -> &'r str {
    let found = record.headers.iter().find(|(header, _)| header == name);
    let (_, value) = found.unwrap_or_else(|| panic!("no {name} in {record:?}"));
    std::str::from_utf8(value).unwrap()
}
