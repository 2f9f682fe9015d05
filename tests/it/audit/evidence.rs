//! The evidence that the auditor judges, in memory.

use std::collections::BTreeMap;

use uuid::Uuid;

/// All evidence of an audit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// The tables.
    pub database: Tables,
    /// The topic; the records of each partition in the order of their offsets.
    pub records: Vec<TopicRecord>,
    /// Acknowledged writes.
    pub acknowledged: Vec<Acknowledged>,
}

/// The tables, as one transaction saw them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// Table `request`.
    pub requests: Vec<RequestRow>,
    /// Table `event_log`.
    pub log: Vec<LogRow>,
    /// Table `event_head`: the next position of each shard.
    pub next: BTreeMap<u16, u64>,
    /// Table `relay_checkpoint`: the last position of each shard that is known to be published.
    pub checkpoints: BTreeMap<u16, u64>,
}

/// A request in its current state.
#[derive(Clone, Debug)]
pub(crate) struct RequestRow {
    pub id: Uuid,
    pub version: u32,
    /// As in the contract.
    pub status: i32,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    pub shard: u16,
    pub position: u64,
    pub request: Uuid,
    pub version: u32,
    /// As in the contract.
    pub event_type: i32,
    /// Microseconds since 1970.
    pub at: i64,
    /// Headers with the ids of the call, by name.
    pub trace: [(&'static str, Option<String>); 3],
    pub payload: Vec<u8>,
}

/// A committed record of the topic.
#[derive(Clone, Debug)]
pub(crate) struct TopicRecord {
    pub partition: u16,
    pub offset: i64,
    /// When it was sent, in milliseconds since 1970; -1 if that is unknown.
    pub timestamp: i64,
    pub key: Vec<u8>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub value: Vec<u8>,
}

/// An acknowledged write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledged {
    pub request: Uuid,
    pub version: u32,
}
