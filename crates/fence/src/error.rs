//! What can go wrong, by cause. A session that fails is over: the next one fences and reads the tails again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use thiserror::Error;

use crate::{Address, ProducerId};

/// Why a call, a fence or a session failed. `Display` omits the source.
#[derive(Debug, Error)]
pub enum Failure {
    /// No connection to a broker.
    #[error("could not connect to {address}")]
    Connect {
        /// The broker.
        address: Address,
        /// What the system or TLS says.
        #[source]
        source: io::Error,
    },
    /// A connection was lost.
    #[error("the connection to {address} was lost: {reason}")]
    Lost {
        /// The broker.
        address: Address,
        /// What ended it.
        reason: Arc<str>,
    },
    /// A broker did not answer in time.
    #[error("{address} did not answer {api} within {limit:?}")]
    TimedOut {
        /// The broker.
        address: Address,
        /// The request.
        api: &'static str,
        /// The time it had.
        limit: Duration,
    },
    /// A broker does not know a request in any version that this client speaks.
    #[error("{address} does not support {api} in a version from {oldest} to {newest}")]
    Unsupported {
        /// The broker.
        address: Address,
        /// The request.
        api: &'static str,
        /// Oldest version of this client.
        oldest: i16,
        /// Newest version of this client.
        newest: i16,
    },
    /// Bytes that do not follow the protocol.
    #[error("{what} does not follow the Kafka protocol: {reason}")]
    Malformed {
        /// The message.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A broker did not accept the credentials.
    #[error("{address} refused SASL {mechanism}: {reason}")]
    Authentication {
        /// The broker.
        address: Address,
        /// The mechanism.
        mechanism: &'static str,
        /// What the broker or the mechanism says.
        reason: String,
    },
    /// TLS material or a setting that cannot be used.
    #[error("setting {setting} cannot be used: {reason}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A broker answered with an error.
    #[error("{api} failed: {error}")]
    Refused {
        /// The request.
        api: &'static str,
        /// The error.
        error: ResponseError,
    },
    /// A broker answered with an error for a partition.
    #[error("{api} failed for partition {partition}: {error}")]
    PartitionRefused {
        /// The request.
        api: &'static str,
        /// The partition.
        partition: i32,
        /// The error.
        error: ResponseError,
    },
    /// The topic has no such partition, or the partition has no leader.
    #[error("partition {0} has no leader")]
    NoLeader(i32),
    /// The leader of a partition or the id of the topic is another one than at the fence.
    #[error("partition {0} moved to another leader, or its topic was created again")]
    Moved(i32),
    /// The own marker did not appear, so the fence proves nothing.
    #[error("the marker of {producer} did not appear in partition {partition} within {limit:?}")]
    MarkerMissing {
        /// The partition.
        partition: i32,
        /// Producer id and epoch of the marker.
        producer: String,
        /// The time it had.
        limit: Duration,
    },
    /// Another client's transaction hides the end of a partition.
    #[error("a transaction of another producer stays open in partition {partition} from offset {from}")]
    OpenTransaction {
        /// The partition.
        partition: i32,
        /// The first offset that it hides.
        from: i64,
    },
    /// The coordinator handed out a producer id whose fence does not cover the recorded one.
    #[error(
        "the producer id changed from {recorded} to {found}, and partition {partition} may still accept the last owner under \
         {recorded}; wait until no connection of it can be left (twice connections.max.idle.ms), then fence again with \
         `Previous::Abandoned`"
    )]
    ProducerIdChanged {
        /// The id that was recorded at the last fence.
        recorded: ProducerId,
        /// The new one.
        found: ProducerId,
        /// A partition without proof.
        partition: i32,
    },
    /// The coordinator did not replace a producer id whose epochs are used up.
    #[error("the coordinator does not replace producer id {0}, whose epochs are used up; use another transactional id")]
    EpochsExhausted(ProducerId),
    /// A batch landed elsewhere than right behind the previous one: somebody else wrote, or the topic was created again.
    #[error("partition {partition} ended at offset {expected}, but a batch was appended at {actual}")]
    UnexpectedOffset {
        /// The partition.
        partition: i32,
        /// The offset after the previous batch.
        expected: i64,
        /// The offset that the broker acknowledged.
        actual: i64,
    },
    /// The fence is too old to rely on.
    #[error("the fence is {0:?} old, too old to append under it")]
    FenceExpired(Duration),
    /// The broker accepts larger requests than this batch of several records.
    #[error("partition {partition} refused a batch of {records} records and {bytes} bytes as too large")]
    BatchTooLarge {
        /// The partition.
        partition: i32,
        /// Records of the batch.
        records: usize,
        /// Its size.
        bytes: usize,
    },
    /// A record that does not fit into a batch, even alone.
    #[error("a record of {bytes} bytes for partition {partition} exceeds the largest batch of {limit} bytes")]
    RecordTooLarge {
        /// The partition.
        partition: i32,
        /// Size of a batch with this record alone.
        bytes: usize,
        /// Largest batch.
        limit: usize,
    },
    /// A batch of the topic is compressed with a codec that this client does not read.
    #[error("partition {partition} has a batch at offset {offset} with compression {codec}, which cannot be read")]
    Codec {
        /// The partition.
        partition: i32,
        /// First offset of the batch.
        offset: i64,
        /// Name of the codec.
        codec: &'static str,
    },
    /// The broker accepted a batch of a fenced epoch.
    #[error("the broker does not refuse batches of a fenced epoch ({0}); fenced appends are not safe on it")]
    NotEnforced(String),
}

/// Fails if `code` is an error.
pub(crate) fn check(api: &'static str, code: i16) -> Result<(), Failure> {
    ResponseError::try_from_code(code).map_or(Ok(()), |error| Err(Failure::Refused { api, error }))
}

/// Fails if the `code` of a partition is an error.
pub(crate) fn check_partition(api: &'static str, partition: i32, code: i16) -> Result<(), Failure> {
    let refused = |error| Err(Failure::PartitionRefused { api, partition, error });
    ResponseError::try_from_code(code).map_or(Ok(()), refused)
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass errors and texts that they made for this")]
pub(crate) fn malformed(what: &'static str, reason: impl ToString) -> Failure {
    Failure::Malformed { what, reason: reason.to_string() }
}
