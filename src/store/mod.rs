//! The store boundary: the database operations that the service and the relay use. A store runs one transaction over locked rows
//! and writes what its caller decides; it decides nothing itself.
//!
//! Postgres and SQLite implement it; `tests/it/store.rs` runs one suite against both.

mod batch;
mod credential_rows;
mod document;
mod error;
mod health;
mod inspection;
mod migrations;
mod positions;
mod postgres;
mod publishing;
mod sqlite;
mod users;
mod vitals;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::domain::{
    Credential, CredentialPage, CredentialQuery, EventType, LearnedUsers, Listing, NotACorrelationId, Page, Position,
    ProfileTemplate, Query, Refusal, Request, RequestId, SerialNumber, Shard, ShardCount, TemplateId, Timestamp, Trace,
    User, UserKeys, UserPage, UserQuery, Version,
};

pub use batch::{Change, Committed, Decide, KeptReply, LockedRows, MemberRows, Outcome, StoredReply, Workload, Writes};
pub use credential_rows::CredentialRows;
pub use error::{OpenFault, StoreError};
pub use inspection::{Inspection, Rights, SchemaState, UserCounts};
pub use migrations::SchemaUpdate;
pub use postgres::{Postgres, PostgresSettings};
pub use publishing::Publishing;
pub use sqlite::{Sqlite, SqliteSettings};
pub use users::ChangeUsers;
pub use vitals::{PoolUse, Vitals};

/// What to do with a template that equals a stored version older than the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OlderTemplate {
    /// It is of a process that has not got the newest files yet: keep the stored versions as they are.
    Keep,
    /// It is meant to replace the newest version: store it as a new one.
    Restore,
}

impl OlderTemplate {
    /// The stored version to use instead of a new one, given the newest version and the newest one that equals the template.
    fn kept<V: PartialEq>(self, newest: &V, equal: Option<V>) -> Option<V> {
        equal.filter(|version| version == newest || self == Self::Keep)
    }
}

/// How the log is divided. Fixed for the life of a database: a process with another configuration is refused, because two
/// processes that disagree would publish one shard from two partition groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Shards; each is one partition of the topic.
    pub shards: ShardCount,
    /// Partition groups of the relay; group `n` owns the shards whose number modulo the number of groups is `n`.
    pub partition_groups: u16,
}

impl Topology {
    /// The shards of one partition group.
    pub fn shards_of(self, group: u16) -> impl Iterator<Item = Shard> + use<> {
        self.shards.shards().filter(move |shard| shard.number() % self.partition_groups == group)
    }

    /// Refuses a topology other than the stored one.
    fn check_stored(self, shards: i32, groups: i32) -> Result<(), StoreError> {
        self.difference(shards, groups).map_or(Ok(()), |problem| Err(StoreError::Unfit(problem)))
    }

    /// What is wrong if this is not the stored topology.
    fn difference(self, shards: i32, groups: i32) -> Option<String> {
        if (shards, groups) == (i32::from(self.shards.get()), i32::from(self.partition_groups)) {
            return None;
        }
        Some(format!(
            "the database was created with {shards} shards in {groups} partition groups, but the configuration says {} in {}; \
             both are fixed for the life of a database",
            self.shards.get(),
            self.partition_groups
        ))
    }
}

/// Bytes of event payloads after which one read of the log stops; the event that reaches the limit is included.
pub const LOG_READ_BYTES: u32 = 1 << 20;

/// Maximum stored bytes of the requests in one read by id; the first request always fits.
const GET_BYTES: usize = 2 << 20;

/// Maximum stored bytes of the requests that one batch locks, and as much again for its stored replies; one of each always fits.
const FOUND_BYTES: usize = 2 << 20;

/// An event with its position in the log.
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
    /// Type of the event.
    pub event_type: EventType,
    /// Time of the change.
    pub at: Timestamp,
    /// Ids of the call that caused it.
    pub trace: Trace,
    /// The encoded `cmgate.v1.RequestEvent`, without its shard and position.
    pub payload: Bytes,
}

/// The ids of a call from the columns of its event.
fn stored_trace(
    correlation: Option<&str>,
    traceparent: Option<String>,
    tracestate: Option<String>,
) -> Result<Trace, NotACorrelationId> {
    Ok(Trace { correlation: correlation.map(str::parse).transpose()?, traceparent, tracestate })
}

/// How far the relay is known to have published a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The shard.
    pub shard: Shard,
    /// Last position known to be on the topic.
    pub position: Position,
    /// Whether certainly nothing after `position` was published: set on a clean stop or by an operator.
    pub exact: bool,
    /// Whether an operator allows the relay to continue from here although the topic is empty.
    pub may_start_topic: bool,
    /// Last offset up to which an operator accepts records of other producers; -1 if none.
    pub ignored_to: i64,
    /// The relay session that may write this checkpoint; a later session takes it over.
    pub owner: Uuid,
}

/// Identity of a topic. The name alone is ambiguous: another cluster may have the same name, or the topic may be recreated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicIdentity {
    /// Name of the topic.
    pub topic: String,
    /// Id of the cluster, if known.
    pub cluster: Option<String>,
    /// Id of the topic, if known.
    pub topic_id: Option<Uuid>,
}

/// The lock of a partition group, held until dropped. It only avoids contention between workers; Kafka's fencing keeps a second
/// writer from the topic.
pub trait PartitionGroupLock: Send {
    /// Whether the lock is held, as far as this process can tell.
    fn is_held(&self) -> bool;
}

/// A database of requests with their event log.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// How the log is divided.
    fn topology(&self) -> Topology;

    /// The use of each pool of connections.
    fn pools(&self) -> Vec<PoolUse>;

    /// Readings for monitoring.
    async fn vitals(&self) -> Result<Vitals, StoreError>;

    /// The number of idempotency keys: an estimate where a count would be expensive, and `None` before the first one.
    async fn idempotency_keys(&self) -> Result<Option<u64>, StoreError>;

    /// Locks the rows of a batch, decides it, and writes the result in one transaction: every change with one event, or nothing.
    ///
    /// # Errors
    /// [`StoreError::TooLargeTogether`] if the rows together are too large to read; otherwise see [`StoreError`]. Unless the
    /// outcome is unknown, nothing has changed.
    async fn commit(&self, batch: &dyn Decide) -> Result<Committed, StoreError>;

    /// Reads requests by id, in no defined order; unknown ids are left out. If the requests together are too large, returns at
    /// least one and sets `has_more`.
    async fn get(&self, ids: &[RequestId]) -> Result<Listing<Request>, StoreError>;

    /// Reads a page of a list.
    async fn find(&self, query: &Query, page: Page) -> Result<Listing<Request>, StoreError>;

    /// Reads profiles and smart cards by id, in no defined order; unknown ids are left out.
    async fn credentials(&self, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError>;

    /// The smart card with this serial number: the one in use, else the one retired last.
    async fn card(&self, serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError>;

    /// Reads a page of the profiles and smart cards of a user.
    async fn find_credentials(
        &self,
        query: &CredentialQuery,
        page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError>;

    /// Reads the users that have one of these keys, in no defined order: imported ones, and those learned from `entry`.
    async fn users(&self, keys: &UserKeys, entry: Option<&str>) -> Result<Vec<User>, StoreError>;

    /// Reads a page of a list of users: imported ones and `learned` ones.
    async fn find_users(
        &self,
        query: &UserQuery,
        learned: &LearnedUsers,
        page: &UserPage,
    ) -> Result<Listing<User>, StoreError>;

    /// Changes users in one transaction, which runs beside no other change of users. A refusal changes nothing.
    async fn change_users(&self, change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError>;

    /// Stores a template and returns its version: the newest stored one that equals it, else a new one. See [`OlderTemplate`].
    async fn put_template(
        &self,
        template: &ProfileTemplate,
        older: OlderTemplate,
        now: Timestamp,
    ) -> Result<u32, StoreError>;

    /// The newest version of every stored template.
    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError>;

    /// The last position of every shard, in the order of the shards.
    async fn log_ends(&self) -> Result<Vec<Position>, StoreError>;

    /// Reads up to `limit` events of a shard after a position, in order; at least one if there is any. Returns fewer if they
    /// exceed [`LOG_READ_BYTES`] or if a wrong clock spread them over distant days.
    async fn read_log(&self, shard: Shard, after: Position, limit: u32) -> Result<Vec<LoggedEvent>, StoreError>;

    /// The time of the event at the position after the given one, if it exists.
    async fn logged_at(&self, shard: Shard, after: Position) -> Result<Option<Timestamp>, StoreError>;

    /// The checkpoint of every shard, in the order of the shards.
    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError>;

    /// Makes `owner` the only session that may write the checkpoints of these shards.
    async fn claim_checkpoints(&self, shards: &[Shard], owner: Uuid) -> Result<(), StoreError>;

    /// Replaces the checkpoints whose stored owner equals the given one, and returns their number; a session that another one
    /// has replaced changes nothing.
    async fn put_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<usize, StoreError>;

    /// The topic to which the log is published; `None` until one is bound.
    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError>;

    /// Binds the log to this topic unless it already has one, and returns the bound topic. If the names are equal, missing ids
    /// are filled in.
    async fn bind_topic(&self, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError>;

    /// Binds the log to this topic regardless of the current one, and replaces these checkpoints. Returns false and changes
    /// nothing if one of the checkpoints has another owner.
    async fn rebind_topic(&self, topic: &TopicIdentity, checkpoints: &[Checkpoint]) -> Result<bool, StoreError>;

    /// How the log is published; `None` until a mode is bound.
    async fn publishing(&self) -> Result<Option<Publishing>, StoreError>;

    /// Binds the log to this mode unless it already has one, and returns the bound mode.
    async fn bind_publishing(&self, publishing: Publishing) -> Result<Publishing, StoreError>;

    /// The producer id that was stored last for a partition group and a topic of this name and cluster. An unknown cluster may be any.
    async fn producer_id(&self, group: u16, topic: &TopicIdentity) -> Result<Option<i64>, StoreError>;

    /// Stores the producer id of a partition group for a topic of this name.
    async fn put_producer_id(&self, group: u16, topic: &TopicIdentity, id: i64) -> Result<(), StoreError>;

    /// Locks a partition group; `None` if the lock is taken.
    async fn lock_partition_group(&self, group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError>;

    /// Regular maintenance: creates log partitions for the coming days where the store has any, and deletes expired idempotency
    /// keys. A clock that runs ahead of the others does not shorten the life of keys.
    async fn maintain(&self, now: Timestamp, keys_before: Timestamp) -> Result<(), StoreError>;

    /// Fails if the database does not answer or does not accept writes. The last write shows whether it does; if that one
    /// failed, this tries a no-op write.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Closes every connection.
    async fn close(&self);
}
