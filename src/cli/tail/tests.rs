//! The output of `tail` over a log in memory.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::contract::v1;
use crate::domain::{
    Credential, CredentialPage, CredentialQuery, EventType, LearnedUsers, Listing, Page, ProfileTemplate, Query,
    Refusal, Request, RequestId, SerialNumber, TemplateId, Timestamp, Trace, User, UserKeys, UserPage, UserQuery,
    Version,
};
use crate::store::{
    ChangeUsers, Checkpoint, Committed, Decide, OlderTemplate, PartitionGroupLock, PoolUse, Publishing, TopicIdentity,
    Topology, Vitals,
};

/// A read-only log in memory. If it grows, each read of its log ends appends one event of shard 0.
struct Log {
    events: Mutex<Vec<LoggedEvent>>,
    grows: bool,
}

impl Log {
    fn of(events: &[(u16, u64)]) -> Self {
        let events = events.iter().map(|(shard, position)| event(*shard, *position)).collect();
        Self { events: Mutex::new(events), grows: false }
    }

    fn log_end(&self, shard: Shard) -> Position {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.shard == shard).map(|event| event.position).max().unwrap_or_default()
    }
}

fn event(shard: u16, position: u64) -> LoggedEvent {
    let message = v1::RequestEvent {
        r#type: v1::RequestEventType::Created.into(),
        request: Some(v1::Request {
            id: Uuid::from_u128(u128::from(position)).to_string(),
            status: v1::RequestStatus::Pending.into(),
            submit_time: Some(prost_types::Timestamp { seconds: 1_436_312_181, nanos: 930_000_000 }),
            ..v1::Request::default()
        }),
        ..v1::RequestEvent::default()
    };
    LoggedEvent {
        shard: Shard::new(shard),
        position: Position::new(position),
        request: RequestId::new(Uuid::from_u128(u128::from(position))),
        version: Version::FIRST,
        event_type: EventType::Created,
        at: Timestamp::from_micros(0).unwrap(),
        trace: Trace::default(),
        payload: Bytes::from(message.encode_to_vec()),
    }
}

fn not_asked<T>() -> Result<T, StoreError> {
    Err(StoreError::Unfit("nobody should ask for this".to_owned()))
}

#[async_trait]
impl Store for Log {
    fn topology(&self) -> Topology {
        Topology { shards: ShardCount::new(3).unwrap(), partition_groups: 1 }
    }

    fn pools(&self) -> Vec<PoolUse> {
        Vec::new()
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        not_asked()
    }

    async fn idempotency_keys(&self) -> Result<Option<u64>, StoreError> {
        not_asked()
    }

    async fn log_ends(&self) -> Result<Vec<Position>, StoreError> {
        let log_ends = self.topology().shards.shards().map(|shard| self.log_end(shard)).collect();
        if self.grows {
            let next = self.log_end(Shard::new(0)).next();
            self.events.lock().unwrap().push(event(0, next.get()));
        }
        Ok(log_ends)
    }

    async fn read_log(&self, shard: Shard, after: Position, limit: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        let events = self.events.lock().unwrap();
        let found = events.iter().filter(|event| event.shard == shard && event.position > after);
        Ok(found.take(limit as usize).cloned().collect())
    }

    async fn users(&self, _keys: &UserKeys, _entry: Option<&str>) -> Result<Vec<User>, StoreError> {
        not_asked()
    }

    async fn find_users(
        &self,
        _query: &UserQuery,
        _learned: &LearnedUsers,
        _page: &UserPage,
    ) -> Result<Listing<User>, StoreError> {
        not_asked()
    }

    async fn change_users(&self, _change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
        not_asked()
    }

    async fn commit(&self, _batch: &dyn Decide) -> Result<Committed, StoreError> {
        not_asked()
    }

    async fn get(&self, _ids: &[RequestId]) -> Result<Listing<Request>, StoreError> {
        not_asked()
    }

    async fn find(&self, _query: &Query, _page: Page) -> Result<Listing<Request>, StoreError> {
        not_asked()
    }

    async fn credentials(&self, _ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
        not_asked()
    }

    async fn card(&self, _serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError> {
        not_asked()
    }

    async fn find_credentials(
        &self,
        _query: &CredentialQuery,
        _page: CredentialPage,
    ) -> Result<Listing<Credential>, StoreError> {
        not_asked()
    }

    async fn put_template(&self, _: &ProfileTemplate, _: OlderTemplate, _: Timestamp) -> Result<u32, StoreError> {
        not_asked()
    }

    async fn templates(&self) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
        not_asked()
    }

    async fn logged_at(&self, _shard: Shard, _after: Position) -> Result<Option<Timestamp>, StoreError> {
        not_asked()
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        not_asked()
    }

    async fn claim_checkpoints(&self, _shards: &[Shard], _owner: Uuid) -> Result<(), StoreError> {
        not_asked()
    }

    async fn put_checkpoints(&self, _checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
        not_asked()
    }

    async fn topic(&self) -> Result<Option<TopicIdentity>, StoreError> {
        not_asked()
    }

    async fn bind_topic(&self, _topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
        not_asked()
    }

    async fn rebind_topic(&self, _topic: &TopicIdentity, _checkpoints: &[Checkpoint]) -> Result<bool, StoreError> {
        not_asked()
    }

    async fn publishing(&self) -> Result<Option<Publishing>, StoreError> {
        not_asked()
    }

    async fn bind_publishing(&self, _publishing: Publishing) -> Result<Publishing, StoreError> {
        not_asked()
    }

    async fn producer_id(&self, _group: u16, _topic: &TopicIdentity) -> Result<Option<i64>, StoreError> {
        not_asked()
    }

    async fn put_producer_id(&self, _group: u16, _topic: &TopicIdentity, _id: i64) -> Result<(), StoreError> {
        not_asked()
    }

    async fn lock_partition_group(&self, _group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
        not_asked()
    }

    async fn maintain(&self, _now: Timestamp, _keys_before: Timestamp) -> Result<(), StoreError> {
        not_asked()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        not_asked()
    }

    async fn close(&self) {}
}

const ALL: TailSettings = TailSettings { shard: None, from: Position::new(1), follow: false };

async fn lines(log: &Log, settings: TailSettings) -> Vec<Value> {
    let mut output = Vec::new();
    tail(log, settings, &mut output).await.unwrap();
    let text = String::from_utf8(output).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn places(lines: &[Value]) -> Vec<(u64, &str)> {
    lines.iter().map(|line| (line["shard"].as_u64().unwrap(), line["position"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_line_is_the_canonical_json_of_an_event_with_its_position() {
    let lines = lines(&Log::of(&[(0, 1)]), ALL).await;
    let line = &lines[0];
    assert_eq!(line["type"], "REQUEST_EVENT_TYPE_CREATED");
    assert_eq!(line["previousStatus"], "REQUEST_STATUS_UNSPECIFIED");
    assert_eq!(line["request"]["status"], "REQUEST_STATUS_PENDING");
    assert_eq!(line["request"]["submitTime"], "2015-07-07T23:36:21.930Z");
    assert_eq!(line["request"]["isSmartcard"], false);
    assert_eq!(line["request"]["dataItems"], json!([]));
    assert_eq!((&line["shard"], &line["position"]), (&json!(0), &json!("1")));
    assert!(line["request"].get("conclusion").is_none(), "{line}");
}

#[tokio::test]
async fn every_shard_is_shown_in_its_own_order() {
    let log = Log::of(&[(0, 1), (2, 1), (0, 2), (2, 2), (2, 3)]);
    assert_eq!(places(&lines(&log, ALL).await), [(0, "1"), (0, "2"), (2, "1"), (2, "2"), (2, "3")]);
    let from_two = TailSettings { from: Position::new(2), ..ALL };
    assert_eq!(places(&lines(&log, from_two).await), [(0, "2"), (2, "2"), (2, "3")]);
    let beyond = TailSettings { from: Position::new(9), ..ALL };
    assert!(lines(&log, beyond).await.is_empty());
    let one_shard = TailSettings { shard: Some(Shard::new(2)), from: Position::new(3), follow: false };
    assert_eq!(places(&lines(&log, one_shard).await), [(2, "3")]);
}

#[tokio::test]
async fn several_pages_are_printed_without_a_gap() {
    let events: Vec<_> = (1..=u64::from(PAGE) * 2 + 7).map(|position| (1, position)).collect();
    let lines = lines(&Log::of(&events), ALL).await;
    let expected: Vec<String> = events.iter().map(|(_, position)| position.to_string()).collect();
    let shown: Vec<&str> = places(&lines).into_iter().map(|(_, position)| position).collect();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn printing_ends_even_if_the_log_grows() {
    let log = Log { grows: true, ..Log::of(&[(0, 1)]) };
    assert_eq!(places(&lines(&log, ALL).await), [(0, "1")]);
}

/// Accepts some bytes, then fails like a closed pipe.
struct Pipe {
    taken: Vec<u8>,
    capacity: usize,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.taken.len() + bytes.len() > self.capacity {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.taken.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn following_prints_new_events_until_the_reader_closes_the_output() {
    let log = Log { grows: true, ..Log::of(&[]) };
    let mut first = Vec::new();
    Lines::new().unwrap().write(&event(0, 1), &mut first).unwrap();
    let mut pipe = Pipe { taken: Vec::new(), capacity: first.len() * 5 / 2 };
    tail(&log, TailSettings { follow: true, ..ALL }, &mut pipe).await.unwrap();
    let text = String::from_utf8(pipe.taken).unwrap();
    let positions: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["position"].clone())
        .collect();
    assert_eq!(positions, ["1", "2"]);
}

#[tokio::test]
async fn an_unknown_shard_is_refused() {
    let wrong = TailSettings { shard: Some(Shard::new(3)), ..ALL };
    let refused = tail(&Log::of(&[]), wrong, &mut io::sink()).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no shard 3; the log has shards 0 to 2");
}

#[tokio::test]
async fn an_undecodable_event_is_reported_with_its_position() {
    let log = Log::of(&[(1, 1)]);
    log.events.lock().unwrap()[0].payload = Bytes::from_static(b"\xff\xff");
    let refused = tail(&log, ALL, &mut io::sink()).await.unwrap_err();
    assert_eq!(refused.to_string(), "cannot decode the event at position 1 of shard 1");
}
