//! The store boundary: what the service and the relay ask of a database, and nothing of how it is done. The store runs one
//! transaction over locked rows and is told what to write; it decides nothing.
//!
//! Two stores stand behind it, Postgres and SQLite; `tests/it/store.rs` holds one suite of behaviour over both.

mod batch;
mod credential_rows;
mod document;
mod error;
mod health;
mod migrations;
mod positions;
mod postgres;
mod sqlite;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::domain::{
    Credential, CredentialPage, CredentialQuery, EventType, Listing, Page, Position, ProfileTemplate, Query, Request,
    RequestId, SerialNumber, Shard, ShardCount, TemplateId, Timestamp, Version,
};

pub use batch::{Change, Committed, Decide, KeptReply, LockedRows, MemberRows, Outcome, StoredReply, Workload, Writes};
pub use credential_rows::CredentialRows;
pub use error::{OpenFault, StoreError};
pub use postgres::{Postgres, PostgresSettings};
pub use sqlite::{Sqlite, SqliteSettings};

/// How the log is divided. Fixed for the life of a database: a process with another configuration is refused, because two
/// processes that disagree would publish the same shard from two partition groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Shards; each is one partition of the topic.
    pub shards: ShardCount,
    /// Partition groups of the relay; group `n` has the shards whose number modulo the number of groups is `n`.
    pub partition_groups: u16,
}

impl Topology {
    /// The shards of one partition group.
    pub fn shards_of(self, group: u16) -> impl Iterator<Item = Shard> + use<> {
        self.shards.shards().filter(move |shard| shard.number() % self.partition_groups == group)
    }

    /// Refuses a topology other than the stored one.
    fn check_stored(self, shards: i32, groups: i32) -> Result<(), StoreError> {
        if (shards, groups) == (i32::from(self.shards.get()), i32::from(self.partition_groups)) {
            return Ok(());
        }
        Err(StoreError::Unfit(format!(
            "the database was created with {shards} shards in {groups} partition groups, but the configuration says {} in {}; \
             both are fixed for the life of a database",
            self.shards.get(),
            self.partition_groups
        )))
    }
}

/// Most bytes of events that one reading of the log gives, as long as it gives one event.
pub const LOG_READ_BYTES: u32 = 1 << 20;

/// Most bytes of requests, as they are stored, that one reading by id gives, as long as it gives one request.
const GET_BYTES: usize = 2 << 20;

/// Most bytes of what one batch finds, of its requests and as much again of its replies under keys; one of each always fits.
const FOUND_BYTES: usize = 2 << 20;

/// An event at its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Shard of the log.
    pub shard: Shard,
    /// Position in the shard.
    pub position: Position,
    /// The request that changed.
    pub request: RequestId,
    /// Its version after the change.
    pub version: Version,
    /// What happened.
    pub event_type: EventType,
    /// When.
    pub at: Timestamp,
    /// W3C trace context of the call that caused it.
    pub traceparent: Option<String>,
    /// The encoded `cmgate.v1.RequestEvent`, without its shard and position.
    pub payload: Bytes,
}

/// How far the relay is known to have published a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The shard.
    pub shard: Shard,
    /// Last position known to be on the topic.
    pub position: Position,
    /// Whether it is certain that nothing after it was published: written on a clean stop, or by an operator.
    pub exact: bool,
    /// Whether an operator has said that the relay may go on from here although the topic is empty.
    pub may_start_topic: bool,
    /// Last offset up to which an operator lets records of somebody else stay; -1 if there is none.
    pub ignored_to: i64,
    /// The relay session that may write this checkpoint; a later session takes it over.
    pub owner: Uuid,
}

/// Which topic it is. The same name alone may be another topic: of another cluster, or created again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicIdentity {
    /// Name of the topic.
    pub topic: String,
    /// Id of the cluster, if it is known.
    pub cluster: Option<String>,
    /// Id of the topic, if it is known.
    pub topic_id: Option<Uuid>,
}

/// The lock of a partition group, held until dropped. It only avoids contention between workers; Kafka's fencing keeps a second
/// writer from the topic.
pub trait PartitionGroupLock: Send {
    /// Whether the lock is still held, as far as is known.
    fn is_held(&self) -> bool;
}

/// A database of requests with their event log.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// How the log is divided.
    fn topology(&self) -> Topology;

    /// Locks the rows that a batch needs, has it decided, and writes what it says: all of it in one transaction, each change with
    /// one event, or nothing.
    ///
    /// # Errors
    /// [`StoreError::TooLargeTogether`] if the rows are too large together to be read; otherwise see [`StoreError`]. Unless the
    /// outcome is unknown, nothing has changed.
    async fn commit(&self, batch: &dyn Decide) -> Result<Committed, StoreError>;

    /// Reads requests by id; what does not exist is left out, the order is not defined. If they are too large together only
    /// some are read, at least one, and there are more.
    async fn get(&self, ids: &[RequestId]) -> Result<Listing<Request>, StoreError>;

    /// Reads a page of a list.
    async fn find(&self, query: &Query, page: Page) -> Result<Listing<Request>, StoreError>;

    /// Reads profiles and smart cards by id; what is not known is left out, the order is not defined.
    async fn credentials(&self, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError>;

    /// The smart card with this id on it: the one in use, else the one that was retired last.
    async fn card(&self, serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError>;

    /// Reads a page of the profiles and smart cards of a user.
    async fn find_credentials(
        &self,
        query: &CredentialQuery,
        page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError>;

    /// Keeps a template and gives its version: a new one if it differs from the newest that is kept.
    async fn put_template(&self, template: &ProfileTemplate, now: Timestamp) -> Result<u32, StoreError>;

    /// The newest version of every template that is kept.
    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError>;

    /// The last position of every shard, in the order of the shards.
    async fn log_ends(&self) -> Result<Vec<Position>, StoreError>;

    /// Reads up to `limit` events of a shard after a position, in order; at least one if there is any, but not all if they take
    /// more than [`LOG_READ_BYTES`] or lie apart.
    async fn read_log(&self, shard: Shard, after: Position, limit: u32) -> Result<Vec<LoggedEvent>, StoreError>;

    /// When the first event of a shard after a position was made.
    async fn logged_at(&self, shard: Shard, after: Position) -> Result<Option<Timestamp>, StoreError>;

    /// How far the relay is known to have come, in the order of the shards.
    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError>;

    /// Makes `owner` the one who may write the checkpoints of these shards.
    async fn claim_checkpoints(&self, shards: &[Shard], owner: Uuid) -> Result<(), StoreError>;

    /// Replaces the checkpoints whose stored owner equals the given one, and returns how many; a session that another one has
    /// replaced changes nothing.
    async fn put_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<usize, StoreError>;

    /// The topic to which the log is published, once there is one.
    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError>;

    /// Makes this the topic of the log, unless it has one, and gives the one that it has then. Ids that were unknown are filled in
    /// if the name is the same.
    async fn bind_topic(&self, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError>;

    /// Makes this the topic of the log whatever it had, and replaces these checkpoints; nothing if one of them has another owner.
    /// Tells whether it did.
    async fn rebind_topic(&self, topic: &TopicIdentity, checkpoints: &[Checkpoint]) -> Result<bool, StoreError>;

    /// Locks a partition group; `None` if the lock is taken.
    async fn lock_partition_group(&self, group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError>;

    /// Does what must be done from time to time: room for the events of the coming days, idempotency keys that are over. A clock
    /// that is ahead of the others does not shorten the life of keys.
    async fn maintain(&self, now: Timestamp, keys_before: Timestamp) -> Result<(), StoreError>;

    /// Fails if the database does not answer, or if it does not accept writes. Whether it does is known from the last write; if
    /// that failed, one is tried that changes nothing.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Closes every connection.
    async fn close(&self);
}
