//! Support for tests of the transports: a service without a database.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::cli::Settings;
use crate::domain::{
    Caller, Catalog, Credential, CredentialPage, CredentialQuery, LearnedUsers, Listing, Page, Position,
    ProfileTemplate, Query, Refusal, Request, RequestId, SerialNumber, Shard, ShardCount, Sid, TemplateId, Timestamp,
    User, UserId, UserKeys, UserPage, UserQuery,
};
use crate::feed::Feed;
use crate::http::auth::{Authentication, Development};
use crate::http::{Api, assemble};
use crate::runtime::clock::Clock;
use crate::service::{Authority, Service, Writer};
use crate::store::{
    ChangeUsers, Checkpoint, Committed, Decide, LoggedEvent, OlderTemplate, PartitionGroupLock, PoolUse, Publishing,
    Store, StoreError, TopicIdentity, Topology, Vitals,
};

/// The error of every database call in the tests.
pub(crate) const AWAY: &str = "nobody listens on the port of the database";

/// A database that is unavailable, or answers only pings.
#[derive(Default)]
pub(crate) struct NoStore(Mutex<Pings>);

/// What a ping of the database gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pings {
    #[default]
    Answered,
    Refused,
    /// Neither an answer nor an error.
    Silent,
}

impl NoStore {
    pub(crate) fn pinged(pings: Pings) -> Self {
        Self(Mutex::new(pings))
    }

    pub(crate) fn set(&self, pings: Pings) {
        *self.0.lock().unwrap() = pings;
    }
}

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable(sqlx::Error::Protocol(AWAY.to_owned())))
}

#[async_trait]
impl Store for NoStore {
    fn topology(&self) -> Topology {
        Topology { shards: ShardCount::new(8).unwrap(), partition_groups: 1 }
    }
    fn pools(&self) -> Vec<PoolUse> {
        Vec::new()
    }
    async fn vitals(&self) -> Result<Vitals, StoreError> {
        away()
    }
    async fn idempotency_keys(&self) -> Result<Option<u64>, StoreError> {
        away()
    }
    async fn commit(&self, _batch: &dyn Decide) -> Result<Committed, StoreError> {
        away()
    }
    async fn get(&self, _ids: &[RequestId]) -> Result<Listing<Request>, StoreError> {
        away()
    }
    async fn find(&self, _query: &Query, _page: Page) -> Result<Listing<Request>, StoreError> {
        away()
    }
    async fn credentials(&self, _ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
        away()
    }

    async fn card(&self, _serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError> {
        away()
    }

    async fn find_credentials(
        &self,
        _query: &CredentialQuery,
        _page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError> {
        away()
    }

    async fn users(&self, _keys: &UserKeys, _entry: Option<&str>) -> Result<Vec<User>, StoreError> {
        away()
    }

    async fn find_users(
        &self,
        _query: &UserQuery,
        _learned: &LearnedUsers,
        _page: &UserPage,
    ) -> Result<Listing<User>, StoreError> {
        away()
    }

    async fn change_users(&self, _change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
        away()
    }

    async fn put_template(&self, _: &ProfileTemplate, _: OlderTemplate, _: Timestamp) -> Result<u32, StoreError> {
        away()
    }
    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
        away()
    }
    async fn log_ends(&self) -> Result<Vec<Position>, StoreError> {
        away()
    }
    async fn read_log(&self, _shard: Shard, _after: Position, _limit: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        away()
    }
    async fn logged_at(&self, _shard: Shard, _after: Position) -> Result<Option<Timestamp>, StoreError> {
        away()
    }
    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        away()
    }
    async fn claim_checkpoints(&self, _shards: &[Shard], _owner: Uuid) -> Result<(), StoreError> {
        away()
    }
    async fn put_checkpoints(&self, _checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
        away()
    }
    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError> {
        away()
    }
    async fn bind_topic(&self, _topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
        away()
    }
    async fn rebind_topic(&self, _topic: &TopicIdentity, _checkpoints: &[Checkpoint]) -> Result<bool, StoreError> {
        away()
    }
    async fn publishing(&self) -> Result<Option<Publishing>, StoreError> {
        away()
    }
    async fn bind_publishing(&self, _publishing: Publishing) -> Result<Publishing, StoreError> {
        away()
    }
    async fn producer_id(&self, _group: u16, _topic: &TopicIdentity) -> Result<Option<i64>, StoreError> {
        away()
    }
    async fn put_producer_id(&self, _group: u16, _topic: &TopicIdentity, _id: i64) -> Result<(), StoreError> {
        away()
    }
    async fn lock_partition_group(&self, _group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
        away()
    }
    async fn maintain(&self, _now: Timestamp, _keys_before: Timestamp) -> Result<(), StoreError> {
        away()
    }
    async fn ping(&self) -> Result<(), StoreError> {
        let pings = *self.0.lock().unwrap();
        match pings {
            Pings::Answered => Ok(()),
            Pings::Refused => away(),
            Pings::Silent => std::future::pending().await,
        }
    }
    async fn close(&self) {}
}

/// Use cases without a database and without a template.
pub(crate) fn service() -> Service {
    let store: Arc<dyn Store> = Arc::new(NoStore::pinged(Pings::Refused));
    let feed = Arc::new(Feed::new(store.topology().shards));
    let writer = Writer::start(&store, &feed, Settings::default().writer, &TaskTracker::new());
    let authority = Authority { account: Sid::parse("S-1-5-21-1-2-3-500").unwrap(), administrators: Vec::new() };
    Service::new(store, writer, Arc::new(Catalog::default()), Clock::System, authority)
}

/// Everybody is user 1, unless a header says otherwise.
pub(crate) fn authentication() -> Authentication {
    let user = UserId::new(Uuid::from_u128(1));
    Authentication::Development(Development::new(Caller::unproven(user, "dev")))
}

/// The public port.
pub(crate) fn api() -> Api {
    assemble(service(), authentication(), Settings::default().api).unwrap()
}
