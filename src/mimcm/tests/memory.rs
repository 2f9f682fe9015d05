//! A store in memory that keeps only requests, profiles, cards and users: no log and no idempotency keys.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;
use uuid::Uuid;

use super::{CARD_TEMPLATE, user};
use crate::domain::{
    Comment, Credential, CredentialPage, CredentialQuery, CredentialStatus, Credentials, DataItem, DisplayName, Item,
    LearnedUsers, Lineage, Listing, Page, Position, ProfileTemplate, Query, Refusal, Request, RequestId, SerialNumber,
    Shard, ShardCount, Sid, TemplateId, TemplateRef, Timestamp, Upn, User, UserKeys, UserPage, UserQuery, UserSource,
    UserStatus,
};
use crate::store::{
    Change, ChangeUsers, Checkpoint, Committed, Decide, LockedRows, LoggedEvent, OlderTemplate, PartitionGroupLock,
    PoolUse, Publishing, Store, StoreError, TopicIdentity, Topology, Vitals,
};

/// The smart card of the documented examples, with its profile.
pub(super) const CARD: &str = "17cf063d-e337-4aa9-a822-346554ddd3c9";
pub(super) const PROFILE: &str = "b99ff38c-6653-471f-ae3c-325bb351a6bc";

pub(super) struct Memory {
    pub(super) requests: Mutex<Vec<Request>>,
    pub(super) credentials: Mutex<Vec<Credential>>,
    pub(super) users: Vec<User>,
    /// Number of pages that can be read before the database becomes unavailable; `None` for no limit.
    pub(super) pages_left: Option<AtomicUsize>,
}

impl Memory {
    pub(super) fn with(requests: Vec<Request>) -> Self {
        Self { requests: Mutex::new(requests), ..Self::default() }
    }
}

/// A store that holds only the documented card with its profile, and one user.
impl Default for Memory {
    fn default() -> Self {
        let (profile, smartcard) = (PROFILE.parse().unwrap(), CARD.parse().unwrap());
        let items = [
            Item::Smartcard { id: smartcard, profile: Some(profile), card: None },
            Item::Profile { id: profile, smartcard: Some(smartcard) },
        ];
        let credentials = items.map(|item| held(item, CredentialStatus::Active)).into();
        Self {
            requests: Mutex::default(),
            credentials: Mutex::new(credentials),
            users: vec![pavle()],
            pages_left: None,
        }
    }
}

/// A credential of the documented user.
pub(super) fn held(item: Item, status: CredentialStatus) -> Credential {
    Credential {
        item,
        owner: user(),
        template: TemplateRef { id: CARD_TEMPLATE.parse().unwrap(), version: 46 },
        status,
        lineage: Lineage::First,
        comment: Comment::default(),
    }
}

/// The target of the third documented example.
fn pavle() -> User {
    User {
        id: "97cc3493-f556-4c9b-9d8b-982434201527".parse().unwrap(),
        source: UserSource::Imported,
        sid: Sid::parse("S-1-5-21-2127521184-1604012920-1887927527-1105"),
        upn: Upn::parse("pavle@corp.example"),
        name: DisplayName::parse("name", "Pavle").unwrap(),
        groups: None,
        status: UserStatus::Active,
    }
}

/// Bytes of the data items of a request as a database stores them.
fn stored(request: &Request) -> usize {
    let bytes = |item: &DataItem| json!({ "name": item.name(), "value": item.value() }).to_string().len();
    request.data_items.iter().map(bytes).sum()
}

/// The first page of a list.
fn first_of<T>(mut members: Vec<T>, limit: u32) -> Listing<T> {
    let has_more = members.len() > limit as usize;
    members.truncate(limit as usize);
    Listing { members, has_more }
}

#[async_trait]
impl Store for Memory {
    fn topology(&self) -> Topology {
        Topology { shards: ShardCount::new(1).unwrap(), partition_groups: 1 }
    }

    fn pools(&self) -> Vec<PoolUse> {
        Vec::new()
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        Ok(Vitals { groups_without_owner: 1, clock: None, files: Vec::new() })
    }

    async fn idempotency_keys(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    async fn commit(&self, batch: &dyn Decide) -> Result<Committed, StoreError> {
        let mut requests = self.requests.lock().unwrap();
        let mut credentials = self.credentials.lock().unwrap();
        let rows = LockedRows {
            requests: requests.iter().map(|request| (request.id, request.clone())).collect(),
            credentials: credentials.iter().cloned().collect(),
            keys: HashMap::new(),
        };
        // A request has one event per version.
        let log_end: u64 = requests.iter().map(|request| u64::from(request.version.get())).sum();
        let writes = batch.decide(rows);
        credentials.retain(|known| writes.credentials.all().all(|changed| changed.id() != known.id()));
        credentials.extend(writes.credentials.all().cloned());
        requests.retain(|known| writes.changes.iter().all(|change| change.request.id != known.id));
        requests.extend(writes.changes.iter().map(|change| (*change.request).clone()));
        let event = |(change, position): (&Change, u64)| LoggedEvent {
            shard: Shard::new(0),
            position: Position::new(position),
            request: change.request.id,
            version: change.request.version,
            event_type: change.event_type,
            at: change.at,
            trace: change.trace.clone(),
            payload: change.payload.clone(),
        };
        let events = writes.changes.iter().zip(log_end + 1..).map(event).collect();
        Ok(Committed { writes, events })
    }

    async fn get(&self, ids: &[RequestId]) -> Result<Listing<Request>, StoreError> {
        let requests = self.requests.lock().unwrap();
        let members = requests.iter().filter(|request| ids.contains(&request.id)).cloned().collect();
        Ok(Listing { members, has_more: false })
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Listing<Request>, StoreError> {
        if let Some(left) = &self.pages_left
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
        {
            return Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut));
        }
        let place = |request: &Request| (request.submitted_at, request.id);
        let is_meant = |request: &&Request| {
            (query.statuses.is_empty() || query.statuses.contains(&request.status()))
                && (query.targets.is_empty() || query.targets.contains(&request.target))
                && page.after.is_none_or(|after| place(request) > (after.submitted_at, after.id))
        };
        let mut found: Vec<Request> = self.requests.lock().unwrap().iter().filter(is_meant).cloned().collect();
        found.sort_by_key(place);
        let mut bytes = 0;
        let fits = found.iter().take_while(|request| {
            bytes += stored(request);
            bytes <= page.max_bytes
        });
        let fits = u32::try_from(fits.count().max(1)).unwrap();
        Ok(first_of(found, page.limit.min(fits)))
    }

    async fn credentials(&self, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
        Ok(self.credentials.lock().unwrap().iter().filter(|known| ids.contains(&known.id())).cloned().collect())
    }

    async fn card(&self, serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError> {
        let known: Credentials = self.credentials.lock().unwrap().iter().cloned().collect();
        Ok(known.card_in_use(serial_number).cloned())
    }

    async fn find_credentials(
        &self,
        query: &CredentialQuery,
        page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError> {
        let is_meant = |known: &&Credential| {
            known.owner == query.owner
                && (query.statuses.is_empty() || query.statuses.contains(&known.status))
                && page.after.is_none_or(|after| known.id() > after)
        };
        let mut found: Vec<Credential> = self.credentials.lock().unwrap().iter().filter(is_meant).cloned().collect();
        found.sort_by_key(Credential::id);
        Ok(first_of(found, page.limit))
    }

    async fn users(&self, keys: &UserKeys, _: Option<&str>) -> Result<Vec<User>, StoreError> {
        let has_key = |user: &&User| {
            keys.id == Some(user.id)
                || keys.sid.is_some() && keys.sid == user.sid
                || keys.upn.is_some() && keys.upn == user.upn
        };
        Ok(self.users.iter().filter(has_key).cloned().collect())
    }

    async fn find_users(&self, _: &UserQuery, _: &LearnedUsers, _: &UserPage) -> Result<Listing<User>, StoreError> {
        Ok(Listing { members: self.users.clone(), has_more: false })
    }

    async fn change_users(&self, _: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
        Ok(Ok(()))
    }

    async fn put_template(&self, _: &ProfileTemplate, _: OlderTemplate, _: Timestamp) -> Result<u32, StoreError> {
        Ok(1)
    }

    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
        Ok(Vec::new())
    }

    async fn log_ends(&self) -> Result<Vec<Position>, StoreError> {
        Ok(Vec::new())
    }

    async fn read_log(&self, _: Shard, _: Position, _: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        Ok(Vec::new())
    }

    async fn logged_at(&self, _: Shard, _: Position) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        Ok(Vec::new())
    }

    async fn claim_checkpoints(&self, _: &[Shard], _: Uuid) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put_checkpoints(&self, _: &[Checkpoint]) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError> {
        Ok(None)
    }

    async fn bind_topic(&self, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
        Ok(topic.clone())
    }

    async fn rebind_topic(&self, _: &TopicIdentity, _: &[Checkpoint]) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn publishing(&self) -> Result<Option<Publishing>, StoreError> {
        Ok(None)
    }

    async fn bind_publishing(&self, publishing: Publishing) -> Result<Publishing, StoreError> {
        Ok(publishing)
    }

    async fn producer_id(&self, _group: u16, _topic: &TopicIdentity) -> Result<Option<i64>, StoreError> {
        Ok(None)
    }

    async fn put_producer_id(&self, _group: u16, _topic: &TopicIdentity, _id: i64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock_partition_group(&self, _: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
        Ok(None)
    }

    async fn maintain(&self, _: Timestamp, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}
