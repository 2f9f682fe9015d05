//! The embedded store: SQLite in one file, for development and for installations without a server.
//!
//! A single connection writes, so that batches queue in this process instead of on the file lock; other connections read. In WAL
//! mode with `synchronous=FULL`, a commit that returned survives a power cut.

mod commit;
mod connect;
mod credential;
mod group_lock;
mod inspect;
mod log;
mod maintain;
mod publishing;
mod read;
mod topic;
mod user;
mod vitals;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::SqlitePool;
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

pub use connect::SqliteSettings;

/// The store in a SQLite file, the default of a single process: one writer, and readers beside it.
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
    writer: Arc<writer::Writer>,
    readers: SqlitePool,
    topology: Topology,
    health: Arc<WriteHealth>,
}

#[async_trait]
impl Store for Sqlite {
    fn topology(&self) -> Topology {
        self.topology
    }

    fn pools(&self) -> Vec<PoolUse> {
        vitals::pools(self)
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        vitals::read(&self.path, self.topology)
    }

    async fn idempotency_keys(&self) -> Result<Option<u64>, StoreError> {
        vitals::idempotency_keys(&self.readers).await
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
        read::get(&self.readers, ids).await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Listing<Request>, StoreError> {
        read::find(&self.readers, query, page).await
    }

    async fn credentials(&self, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
        credential::get(&self.readers, ids).await
    }

    async fn card(&self, serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError> {
        credential::card(&self.readers, serial_number).await
    }

    async fn find_credentials(
        &self,
        query: &CredentialQuery,
        page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError> {
        credential::find(&self.readers, query, page).await
    }

    async fn users(&self, keys: &UserKeys, entry: Option<&str>) -> Result<Vec<User>, StoreError> {
        user::get(&self.readers, keys, entry).await
    }

    async fn find_users(
        &self,
        query: &UserQuery,
        learned: &LearnedUsers,
        page: &UserPage,
    ) -> Result<Listing<User>, StoreError> {
        user::find(&self.readers, query, learned, page).await
    }

    async fn change_users(&self, change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
        self.health.note(user::change(&self.writer, change).await)
    }

    async fn put_template(
        &self,
        template: &ProfileTemplate,
        older: OlderTemplate,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        maintain::put_template(&self.writer, template, older, now).await
    }

    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
        read::templates(&self.readers).await
    }

    async fn log_ends(&self) -> Result<Vec<Position>, StoreError> {
        log::log_ends(&self.readers).await
    }

    async fn read_log(&self, shard: Shard, after: Position, limit: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        log::read(&self.readers, shard, after, limit).await
    }

    async fn logged_at(&self, shard: Shard, after: Position) -> Result<Option<Timestamp>, StoreError> {
        log::logged_at(&self.readers, shard, after).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        log::checkpoints(&self.readers).await
    }

    async fn claim_checkpoints(&self, shards: &[Shard], owner: Uuid) -> Result<(), StoreError> {
        self.health.note(log::claim_checkpoints(&self.writer, shards, owner).await)
    }

    async fn put_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
        self.health.note(log::put_checkpoints(&self.writer, checkpoints).await)
    }

    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError> {
        topic::get(&self.readers).await
    }

    async fn bind_topic(&self, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
        self.health.note(topic::bind(&self.writer, topic).await)
    }

    async fn rebind_topic(&self, topic: &TopicIdentity, checkpoints: &[Checkpoint]) -> Result<bool, StoreError> {
        self.health.note(topic::rebind(&self.writer, topic, checkpoints).await)
    }

    async fn publishing(&self) -> Result<Option<Publishing>, StoreError> {
        publishing::get(&self.readers).await
    }

    async fn bind_publishing(&self, publishing: Publishing) -> Result<Publishing, StoreError> {
        self.health.note(publishing::bind(&self.writer, publishing).await)
    }

    async fn producer_id(&self, group: u16, topic: &TopicIdentity) -> Result<Option<i64>, StoreError> {
        publishing::producer_id(&self.readers, group, topic).await
    }

    async fn put_producer_id(&self, group: u16, topic: &TopicIdentity, id: i64) -> Result<(), StoreError> {
        self.health.note(publishing::put_producer_id(&self.writer, group, topic, id).await)
    }

    async fn lock_partition_group(&self, group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
        group_lock::acquire(&self.path, group)
    }

    async fn maintain(&self, now: Timestamp, keys_before: Timestamp) -> Result<(), StoreError> {
        maintain::drop_keys(&self.writer, now, keys_before).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT shards FROM topology").execute(&self.readers).await?;
        match self.health.verdict() {
            Verdict::Healthy => Ok(()),
            Verdict::Failed(why) => Err(StoreError::ReadOnly(why)),
            Verdict::Probe => {
                self.health.note(maintain::probe(&self.writer).await).inspect(|()| self.health.succeeded())
            }
        }
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
