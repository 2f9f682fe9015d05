//! The relay against a real Kafka: what is in the log comes to the topic, and the auditor agrees.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cmgate::clock::Clock;
use cmgate::domain::{Command, Position, Refusal, RequestId, Shard};
use cmgate::feed::Feed;
use cmgate::kafka::KafkaSettings;
use cmgate::relay::{LaneState, Relay, RelaySettings};
use cmgate::service::commit;
use cmgate::store::{Store, Topology};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::task::spawn_blocking;

use crate::audit::{Acknowledged, Report, TopicRecord, Violation, audit, read_topic};
use crate::client::PATIENCE;
use crate::commands::{TARGET, approve, approver, complete, creation, fresh_card, item, request, start, wish};
use crate::services::{fresh_topic, kafka};
use crate::store::Place;

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_tells_the_whole_log_of_postgres() {
    the_topic_tells_the_whole_log(&Place::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_tells_the_whole_log_of_sqlite() {
    the_topic_tells_the_whole_log(&Place::sqlite()).await;
}

async fn the_topic_tells_the_whole_log(place: &Place) {
    let mut stage = Stage::new(place).await;
    stage.write().await;
    let relay = Running::start(&stage).await;
    stage.write().await;
    relay.wait_until_published().await;
    relay.stop().await;
    let report = stage.audit(place).await;
    report.assert_clean_and_published();
    assert_eq!((report.records, report.acknowledged), (200, 200));
}

/// The positions of another database fit as soon as it has written enough; its events do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_did_not_publish_the_topic_publishes_nothing_to_it() {
    let place = Place::postgres().await;
    let mut stage = Stage::new(&place).await;
    stage.write().await;
    let relay = Running::start(&stage).await;
    relay.wait_until_published().await;
    relay.stop().await;

    let other_place = Place::postgres().await;
    let mut other = Stage { kafka: stage.kafka.clone(), ..Stage::new(&other_place).await };
    other.write().await;
    other.write().await;
    let relay = Running::start(&other).await;
    relay.wait_until_halted().await;
    relay.stop().await;
    stage.audit(&place).await.assert_clean_and_published();
}

/// An event that Kafka does not take would hold back its shard for ever.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_logged_can_be_published_and_what_cannot_is_refused() {
    let place = Place::postgres().await;
    let stage = Stage::new(&place).await;
    let text = "x".repeat(15_000);
    let sized = |items: usize| {
        let mut new = request(0);
        new.data_items = (0..items).map(|number| item(&number.to_string(), Some(&text))).collect();
        creation(new)
    };
    let replies = commit(&*stage.store, &[sized(56), sized(58), creation(request(0))]).await.unwrap();
    let [largest, too_large, neighbour] = replies.try_into().unwrap();
    assert_eq!((largest.is_ok(), neighbour.is_ok()), (true, true));
    assert!(matches!(too_large, Err(Refusal::TooLarge { .. })), "{too_large:?}");
    // More than go together of any shard.
    for reply in commit(&*stage.store, &[(); 16].map(|()| sized(56))).await.unwrap() {
        assert!(reply.is_ok(), "{reply:?}");
    }

    let relay = Running::start(&stage).await;
    relay.wait_until_published().await;
    relay.stop().await;
    let report = stage.audit(&place).await;
    report.assert_clean_and_published();
    assert_eq!(report.records, 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_starts_again_goes_on_where_the_topic_ends() {
    let place = Place::postgres().await;
    let mut stage = Stage::new(&place).await;
    for _ in 0..3 {
        let relay = Running::start(&stage).await;
        stage.write().await;
        relay.wait_until_published().await;
        relay.stop().await;
    }
    let report = stage.audit(&place).await;
    report.assert_clean_and_published();
    assert_eq!(report.records, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_relay_takes_over_where_the_first_one_stopped() {
    let place = Place::postgres().await;
    let mut stage = Stage::new(&place).await;
    let first = Running::start(&stage).await;
    stage.write().await;
    first.wait_until_published().await;
    let second = Running::start(&stage).await;
    stage.write().await;
    first.stop().await;
    stage.write().await;
    second.wait_until_published().await;
    second.stop().await;
    stage.audit(&place).await.assert_clean_and_published();
}

/// So that a sound topic is not a sign of an auditor that does not look.
#[tokio::test(flavor = "multi_thread")]
async fn the_auditor_sees_what_the_relay_did_not_write() {
    let place = Place::postgres().await;
    let mut stage = Stage::new(&place).await;
    let relay = Running::start(&stage).await;
    stage.write().await;
    relay.wait_until_published().await;
    relay.stop().await;

    let topic = stage.kafka.topic.clone();
    let copied = spawn_blocking({
        let topic = topic.clone();
        move || {
            let copied = read_topic(&kafka(), &topic).unwrap().remove(0);
            publish_in_transaction(&topic, &copied, false);
            copied
        }
    });
    let copied = copied.await.unwrap();
    stage.audit(&place).await.assert_clean_and_published();

    let (shard, again) = (copied.partition, copied.clone());
    spawn_blocking(move || publish_in_transaction(&topic, &again, true)).await.unwrap();
    let violations = stage.audit(&place).await.violations;
    let is_repeated = |violation: &Violation| matches!(violation, Violation::RecordRepeated { shard: told, position: 1, .. } if *told == shard);
    assert!(violations.len() == 1 && violations.iter().all(is_repeated), "{violations:?}");
}

fn publish_in_transaction(topic: &str, record: &TopicRecord, commits: bool) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka());
    config.set("transactional.id", format!("{topic}-stranger"));
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let mut headers = OwnedHeaders::new();
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let copy = BaseRecord::to(topic)
        .partition(record.partition.into())
        .key(&record.key)
        .payload(&record.value)
        .headers(headers);
    producer.send(copy).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
    if commits {
        producer.commit_transaction(PATIENCE).unwrap();
    } else {
        producer.abort_transaction(PATIENCE).unwrap();
    }
}

/// A database, the topic that tells of it, and what was acknowledged.
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) kafka: KafkaSettings,
    pub(crate) acknowledged: Vec<Acknowledged>,
}

impl Stage {
    pub(crate) async fn new(place: &Place) -> Self {
        let store = place.open().await;
        let Topology { shards, .. } = store.topology();
        let kafka = KafkaSettings {
            brokers: kafka(),
            topic: fresh_topic(),
            partitions: shards,
            replication_factor: 1,
            source: "//cmgate.test".to_owned(),
            transaction_timeout: Duration::from_secs(10),
            is_volatile: false,
            properties: BTreeMap::new(),
        };
        Self { store, kafka, acknowledged: Vec::new() }
    }

    /// Carries requests through their lives: 100 events.
    pub(crate) async fn write(&mut self) {
        let creations: Vec<Command> = (0..25).map(|_| creation(request(1))).collect();
        let ids: Vec<RequestId> = creations.iter().map(|command| command.request).collect();
        let all = |user, action: &dyn Fn() -> cmgate::domain::Action| -> Vec<Command> {
            ids.iter().map(|id| wish(user, *id, action())).collect()
        };
        let steps = [all(approver(1), &approve), all(TARGET, &start), all(TARGET, &|| complete(fresh_card()))];
        for batch in [creations].into_iter().chain(steps) {
            for reply in commit(&*self.store, &batch).await.unwrap() {
                let request = reply.unwrap().request;
                self.acknowledged.push(Acknowledged { request: request.id.uuid(), version: request.version.get() });
            }
        }
    }

    pub(crate) async fn audit(&self, place: &Place) -> Report {
        audit(&place.url(), &self.kafka.brokers, &self.kafka.topic, self.acknowledged.clone()).await.unwrap()
    }
}

/// A relay as a process runs it, without the rest of the process.
pub(crate) struct Running {
    store: Arc<dyn Store>,
    relay: Relay,
}

impl Running {
    pub(crate) async fn start(stage: &Stage) -> Self {
        Self::start_on(Arc::clone(&stage.store), stage).await
    }

    /// A relay on a store of its own.
    pub(crate) async fn start_on(store: Arc<dyn Store>, stage: &Stage) -> Self {
        let feed = Arc::new(Feed::new(store.topology().shards));
        feed.observe(&store.heads().await.unwrap());
        let settings = RelaySettings { kafka: stage.kafka.clone(), poll_interval: Duration::from_millis(2) };
        let relay = Relay::start(&store, &feed, &Clock::System, &settings).unwrap();
        Self { store, relay }
    }

    /// Waits until every lane of this relay has halted.
    async fn wait_until_halted(&self) {
        let halted = async {
            while !self.relay.lanes().iter().all(|lane| lane.state() == LaneState::Halted) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, halted).await.expect("the lanes halt");
    }

    /// Waits until a lane of this relay has halted, and gives the reason.
    pub(crate) async fn wait_until_one_halted(&self) -> String {
        let halted = async {
            loop {
                let mut lanes = self.relay.lanes().iter();
                if let Some(lane) = lanes.find(|lane| lane.state() == LaneState::Halted) {
                    return lane.problem().unwrap_or_default();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, halted).await.expect("a lane halts")
    }

    /// Whether something keeps a lane of this relay from publishing.
    pub(crate) fn has_problem(&self) -> bool {
        self.relay.lanes().iter().any(|lane| lane.problem().is_some())
    }

    /// Waits until the lanes of this relay have published what is in the log, for as long as they make progress.
    pub(crate) async fn wait_until_published(&self) {
        let mut progressed = (Instant::now(), self.cursors());
        while !self.has_published(&self.store.heads().await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let cursors = self.cursors();
            if cursors != progressed.1 {
                progressed = (Instant::now(), cursors);
            }
            if progressed.0.elapsed() > PATIENCE {
                let lanes: Vec<_> = self.relay.lanes().iter().map(|lane| (lane.state(), lane.problem())).collect();
                panic!("the relay does not come to the end of the log: {lanes:?}");
            }
        }
    }

    fn cursors(&self) -> Vec<(Shard, Option<Position>)> {
        self.relay.lanes().iter().flat_map(|lane| lane.cursors()).collect()
    }

    fn has_published(&self, heads: &[Position]) -> bool {
        self.cursors().into_iter().all(|(shard, cursor)| cursor == Some(heads[shard.index()]))
    }

    pub(crate) async fn stop(self) {
        self.relay.drain().await;
    }
}
