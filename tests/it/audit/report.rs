//! The result of an audit.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

/// Violations that are written out; a broken relay can cause thousands of one kind.
const WRITTEN_OUT: usize = 20;

/// The result of an audit.
#[derive(Debug)]
pub(crate) struct Report {
    /// Requests in the database.
    pub requests: usize,
    /// Events in its log.
    pub events: usize,
    /// Records on the topic.
    pub records: usize,
    /// Events that are not on the topic yet.
    pub unpublished: u64,
    /// Acknowledged writes.
    pub acknowledged: usize,
    /// Violations of the invariants.
    pub violations: Vec<Violation>,
}

/// A violation of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Violation {
    #[error("I1: version {version} of request {request} was acknowledged and is not in the log")]
    AcknowledgedMissing { request: Uuid, version: u32 },
    #[error("I1: request {request} has no event for its version {version}")]
    VersionMissing { request: Uuid, version: u32 },
    #[error("I1: request {request} has several events for its version {version}")]
    VersionRepeated { request: Uuid, version: u32 },
    #[error("I1: the log has version {version} of request {request}, which is not in the table of requests")]
    VersionUnknown { request: Uuid, version: u32 },

    #[error("I2: shard {shard} of the log has no position {position}")]
    PositionMissing { shard: u16, position: u64 },
    #[error("I2: shard {shard} of the log has position {position} several times")]
    PositionRepeated { shard: u16, position: u64 },
    #[error("I2: the head of shard {shard} has {next} as the next position, but the last position is {last}")]
    HeadWrong { shard: u16, next: u64, last: u64 },
    #[error("I2: {shard}/{position} is an event of request {request}, which belongs to another shard")]
    WrongShard { shard: u16, position: u64, request: Uuid },

    #[error("I3: partition {shard} has no position {position}")]
    RecordMissing { shard: u16, position: u64 },
    #[error("I3: partition {shard} has position {position} again at offset {offset}")]
    RecordRepeated { shard: u16, position: u64, offset: i64 },
    #[error("I3: partition {shard} has position {position} at offset {offset}, after {after}")]
    RecordOutOfOrder { shard: u16, position: u64, offset: i64, after: u64 },
    #[error("I3: {shard}/{position} is in partition {partition}")]
    RecordMisplaced { shard: u16, position: u64, partition: u16 },
    #[error("I3: partition {partition} has a record without a position at offset {offset}")]
    RecordForeign { partition: u16, offset: i64 },

    #[error("I4: version {version} of request {request} is out of order in the log")]
    VersionDisordered { request: Uuid, version: u32 },
    #[error("I4: version {version} of request {request} goes from {from} to {to} by {event}")]
    StepIllegal { request: Uuid, version: u32, from: &'static str, event: &'static str, to: &'static str },
    #[error("I4: version {version} of request {request} has an earlier time than the version before it")]
    TimeBackwards { request: Uuid, version: u32 },
    #[error("I4: the status of request {request} differs from its last event")]
    StatusWrong { request: Uuid },

    #[error("I5: {shard}/{position} in the log has a payload that contradicts its row: {what}")]
    RowContradictory { shard: u16, position: u64, what: &'static str },
    #[error("I5: {shard}/{position} is on the topic and not in the log")]
    RecordWithoutRow { shard: u16, position: u64 },
    #[error("I5: {shard}/{position} on the topic differs from the log: {what}")]
    RecordDiffers { shard: u16, position: u64, what: String },

    #[error("I6: the topic has {shard}/{tail}, but the last position in the database is {last}")]
    TopicAhead { shard: u16, tail: u64, last: u64 },
    #[error("I6: the checkpoint of shard {shard} is {checkpoint}, but the last position on the topic is {tail}")]
    CheckpointAhead { shard: u16, checkpoint: u64, tail: u64 },
}

impl Report {
    /// Fails if there is a violation.
    pub(crate) fn assert_clean(&self) {
        assert!(self.violations.is_empty(), "{self}");
    }

    /// Fails if there is a violation or an unpublished event.
    pub(crate) fn assert_clean_and_published(&self) {
        self.assert_clean();
        assert_eq!(self.unpublished, 0, "unpublished events: {self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, events, records, unpublished, acknowledged, violations } = self;
        write!(f, "{requests} requests, {events} events, {records} records, {unpublished} unpublished, ")?;
        write!(f, "{acknowledged} acknowledged, {} violations", violations.len())?;
        for violation in violations.iter().take(WRITTEN_OUT) {
            write!(f, "\n{violation}")?;
        }
        if violations.len() > WRITTEN_OUT {
            write!(f, "\nand {} more", violations.len() - WRITTEN_OUT)?;
        }
        Ok(())
    }
}
