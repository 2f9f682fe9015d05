//! A store without the locks that keep relays apart: it grants the lock of a partition group to every caller, and drops
//! checkpoints, whose owner would reveal another relay. Everything else is delegated to a real store.

use std::sync::Arc;

use async_trait::async_trait;
use cmgate::domain::{
    Credential, CredentialPage, CredentialQuery, LearnedUsers, Listing, Page, Position, ProfileTemplate, Query,
    Refusal, Request, RequestId, SerialNumber, Shard, TemplateId, Timestamp, User, UserKeys, UserPage, UserQuery,
};
use cmgate::store::{
    ChangeUsers, Checkpoint, Committed, Decide, LoggedEvent, OlderTemplate, PartitionGroupLock, PoolUse, Publishing,
    Store, StoreError, TopicIdentity, Topology, Vitals,
};
use uuid::Uuid;

/// The real store without what keeps relays apart.
pub(super) struct Unlocked(pub(super) Arc<dyn Store>);

/// A lock that excludes no one and is never lost.
struct NoLock;

impl PartitionGroupLock for NoLock {
    fn is_held(&self) -> bool {
        true
    }
}

#[async_trait]
impl Store for Unlocked {
    async fn lock_partition_group(&self, _group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
        Ok(Some(Box::new(NoLock)))
    }

    async fn claim_checkpoints(&self, _shards: &[Shard], _owner: Uuid) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
        Ok(checkpoints.len())
    }

    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError> {
        self.0.topic().await
    }

    async fn bind_topic(&self, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
        self.0.bind_topic(topic).await
    }

    async fn rebind_topic(&self, topic: &TopicIdentity, checkpoints: &[Checkpoint]) -> Result<bool, StoreError> {
        self.0.rebind_topic(topic, checkpoints).await
    }

    async fn publishing(&self) -> Result<Option<Publishing>, StoreError> {
        self.0.publishing().await
    }

    async fn bind_publishing(&self, publishing: Publishing) -> Result<Publishing, StoreError> {
        self.0.bind_publishing(publishing).await
    }

    async fn producer_id(&self, group: u16, topic: &TopicIdentity) -> Result<Option<i64>, StoreError> {
        self.0.producer_id(group, topic).await
    }

    async fn put_producer_id(&self, group: u16, topic: &TopicIdentity, id: i64) -> Result<(), StoreError> {
        self.0.put_producer_id(group, topic, id).await
    }

    fn topology(&self) -> Topology {
        self.0.topology()
    }

    fn pools(&self) -> Vec<PoolUse> {
        self.0.pools()
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        self.0.vitals().await
    }

    async fn idempotency_keys(&self) -> Result<Option<u64>, StoreError> {
        self.0.idempotency_keys().await
    }

    async fn commit(&self, batch: &dyn Decide) -> Result<Committed, StoreError> {
        self.0.commit(batch).await
    }

    async fn get(&self, ids: &[RequestId]) -> Result<Listing<Request>, StoreError> {
        self.0.get(ids).await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Listing<Request>, StoreError> {
        self.0.find(query, page).await
    }

    async fn credentials(&self, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
        self.0.credentials(ids).await
    }

    async fn card(&self, serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError> {
        self.0.card(serial_number).await
    }

    async fn find_credentials(
        &self,
        query: &CredentialQuery,
        page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError> {
        self.0.find_credentials(query, page).await
    }

    async fn users(&self, keys: &UserKeys, entry: Option<&str>) -> Result<Vec<User>, StoreError> {
        self.0.users(keys, entry).await
    }

    async fn find_users(
        &self,
        query: &UserQuery,
        learned: &LearnedUsers,
        page: &UserPage,
    ) -> Result<Listing<User>, StoreError> {
        self.0.find_users(query, learned, page).await
    }

    async fn change_users(&self, change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
        self.0.change_users(change).await
    }

    async fn put_template(
        &self,
        template: &ProfileTemplate,
        older: OlderTemplate,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        self.0.put_template(template, older, now).await
    }

    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
        self.0.templates().await
    }

    async fn log_ends(&self) -> Result<Vec<Position>, StoreError> {
        self.0.log_ends().await
    }

    async fn read_log(&self, shard: Shard, after: Position, limit: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        self.0.read_log(shard, after, limit).await
    }

    async fn logged_at(&self, shard: Shard, after: Position) -> Result<Option<Timestamp>, StoreError> {
        self.0.logged_at(shard, after).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.0.checkpoints().await
    }

    async fn maintain(&self, now: Timestamp, keys_before: Timestamp) -> Result<(), StoreError> {
        self.0.maintain(now, keys_before).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}
