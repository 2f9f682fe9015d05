//! The production store: Postgres 15 or newer.
//!
//! Every transaction locks in one order: request rows by id, stored credentials by id, new credentials by id, idempotency keys,
//! log ends by shard. Batches may wait for each other, but never in a cycle.

mod commit;
mod conflict;
mod connect;
mod connection_budget;
mod credential;
mod day_hint;
mod group_lock;
mod inspect;
mod log;
mod maintain;
mod pool;
mod privileges;
mod publishing;
mod read;
mod schema;
mod topic;
mod user;
mod vitals;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::health::{Verdict, WriteHealth};
use super::{
    ChangeUsers, Checkpoint, Committed, Decide, LoggedEvent, OlderTemplate, PartitionGroupLock, PoolUse, Publishing,
    Store, StoreError, TopicIdentity, Topology, Vitals, Workload,
};
use crate::domain::{
    Credential, CredentialPage, CredentialQuery, LearnedUsers, Listing, Page, Position, ProfileTemplate, Query,
    Refusal, Request, RequestId, SerialNumber, Shard, TemplateId, Timestamp, User, UserKeys, UserPage, UserQuery,
};

/// How to reach a Postgres database.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// Maximum connections for callers' reads, except batched reads by id.
    pub max_connections: u32,
    /// Maximum connections reserved for the relay, so that nothing else delays it. Further connections: one for the lock of each
    /// partition group, one for each batch in flight, and two each for imports and maintenance.
    pub relay_connections: u32,
    /// How the log is divided; stored if the database is new.
    pub topology: Topology,
}

/// The store in a Postgres database, the choice for production. Each kind of work has connections of its own.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// For batches of commands.
    write_pool: Arc<pool::ConnectionPool>,
    /// For batches of reads by id, and for users by their keys.
    read_pool: Arc<pool::ConnectionPool>,
    /// For the relay alone.
    relay_pool: Arc<pool::ConnectionPool>,
    /// For imports, and for users learned from proofs.
    import_pool: Arc<pool::ConnectionPool>,
    /// For templates and maintenance.
    upkeep_pool: Arc<pool::ConnectionPool>,
    /// For all other reads of callers.
    list_pool: Arc<pool::ConnectionPool>,
    options: PgConnectOptions,
    topology: Topology,
    candidates: Arc<group_lock::Candidates>,
    day_hints: Arc<day_hint::DayHints>,
    health: Arc<WriteHealth>,
}

#[async_trait]
impl Store for Postgres {
    fn topology(&self) -> Topology {
        self.topology
    }

    fn pools(&self) -> Vec<PoolUse> {
        vitals::pools(self)
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        vitals::read(&self.relay_pool, self.topology).await
    }

    async fn idempotency_keys(&self) -> Result<Option<u64>, StoreError> {
        vitals::idempotency_keys(&self.upkeep_pool).await
    }

    async fn commit(&self, batch: &dyn Decide) -> Result<Committed, StoreError> {
        match batch.workload() {
            Workload::Commands => {
                let attempt = self.health.attempt();
                attempt.end(commit::commit(self, batch).await)
            }
            // The caller may disconnect midway, which says nothing about the database.
            Workload::Import => self.health.note(commit::commit(self, batch).await),
        }
    }

    async fn get(&self, ids: &[RequestId]) -> Result<Listing<Request>, StoreError> {
        read::get(&self.read_pool, ids).await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Listing<Request>, StoreError> {
        read::find(&self.list_pool, query, page).await
    }

    async fn credentials(&self, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
        credential::get(&self.list_pool, ids).await
    }

    async fn card(&self, serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError> {
        credential::card(&self.list_pool, serial_number).await
    }

    async fn find_credentials(
        &self,
        query: &CredentialQuery,
        page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError> {
        credential::find(&self.list_pool, query, page).await
    }

    async fn users(&self, keys: &UserKeys, entry: Option<&str>) -> Result<Vec<User>, StoreError> {
        user::get(&self.read_pool, keys, entry).await
    }

    async fn find_users(
        &self,
        query: &UserQuery,
        learned: &LearnedUsers,
        page: &UserPage,
    ) -> Result<Listing<User>, StoreError> {
        user::find(&self.list_pool, query, learned, page).await
    }

    async fn change_users(&self, change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
        self.health.note(user::change(&self.import_pool, change).await)
    }

    async fn put_template(
        &self,
        template: &ProfileTemplate,
        older: OlderTemplate,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        maintain::put_template(&self.upkeep_pool, template, older, now).await
    }

    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
        read::templates(&self.list_pool).await
    }

    async fn log_ends(&self) -> Result<Vec<Position>, StoreError> {
        log::log_ends(&self.relay_pool).await
    }

    async fn read_log(&self, shard: Shard, after: Position, limit: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        log::read(self, shard, after, limit).await
    }

    async fn logged_at(&self, shard: Shard, after: Position) -> Result<Option<Timestamp>, StoreError> {
        log::logged_at(self, shard, after).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        log::checkpoints(&self.relay_pool).await
    }

    async fn claim_checkpoints(&self, shards: &[Shard], owner: Uuid) -> Result<(), StoreError> {
        self.health.note(log::claim_checkpoints(&self.relay_pool, shards, owner).await)
    }

    async fn put_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
        self.health.note(log::put_checkpoints(&self.relay_pool, checkpoints).await)
    }

    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError> {
        topic::get(&self.relay_pool).await
    }

    async fn bind_topic(&self, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
        topic::bind(&self.relay_pool, topic).await
    }

    async fn rebind_topic(&self, topic: &TopicIdentity, checkpoints: &[Checkpoint]) -> Result<bool, StoreError> {
        topic::rebind(&self.relay_pool, topic, checkpoints).await
    }

    async fn publishing(&self) -> Result<Option<Publishing>, StoreError> {
        publishing::get(&self.relay_pool).await
    }

    async fn bind_publishing(&self, publishing: Publishing) -> Result<Publishing, StoreError> {
        self.health.note(publishing::bind(&self.relay_pool, publishing).await)
    }

    async fn producer_id(&self, group: u16, topic: &TopicIdentity) -> Result<Option<i64>, StoreError> {
        publishing::producer_id(&self.relay_pool, group, topic).await
    }

    async fn put_producer_id(&self, group: u16, topic: &TopicIdentity, id: i64) -> Result<(), StoreError> {
        self.health.note(publishing::put_producer_id(&self.relay_pool, group, topic, id).await)
    }

    async fn lock_partition_group(&self, group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
        group_lock::acquire(&self.options, &self.candidates, group).await
    }

    async fn maintain(&self, now: Timestamp, keys_before: Timestamp) -> Result<(), StoreError> {
        let partitions = maintain::add_partitions(&self.upkeep_pool, now).await;
        maintain::drop_keys(&self.upkeep_pool, now, keys_before).await?;
        partitions
    }

    async fn ping(&self) -> Result<(), StoreError> {
        maintain::check_writable(&self.list_pool).await?;
        match self.health.verdict() {
            Verdict::Healthy => Ok(()),
            Verdict::Failed(why) => Err(StoreError::ReadOnly(why)),
            Verdict::Probe => {
                self.health.note(maintain::probe(&self.upkeep_pool).await).inspect(|()| self.health.succeeded())
            }
        }
    }

    async fn close(&self) {
        self.candidates.lock().await.clear();
        self.read_pool.close().await;
        self.write_pool.close().await;
        self.list_pool.close().await;
        self.import_pool.close().await;
        self.upkeep_pool.close().await;
        self.relay_pool.close().await;
    }
}

/// Shards are at most 1,024, so their numbers fit a smallint.
const fn shard_number(shard: Shard) -> i16 {
    shard.number().cast_signed()
}
