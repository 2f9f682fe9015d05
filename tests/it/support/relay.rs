//! A store opened in this process with its topic, and a relay that publishes its log without the rest of the program.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cmgate::domain::{Action, Command, Position, RequestId, Shard};
use cmgate::feed::Feed;
use cmgate::relay::kafka::KafkaSettings;
use cmgate::relay::{Relay, RelaySettings, WorkerState};
use cmgate::runtime::clock::Clock;
use cmgate::service::commit;
use cmgate::store::{Publishing, Store, Topology};

use super::commands::{TARGET, approve, approver, command, complete, creation, fresh_card, request, start};
use super::env::TestEnv;
use super::servers::kafka;
use super::wait::{PATIENCE, wait_until};
use crate::audit::{Acknowledged, Report};

/// An opened store with its topic, and what it acknowledged.
pub(crate) struct TestLog {
    pub(crate) env: TestEnv,
    pub(crate) store: Arc<dyn Store>,
    /// How a relay reaches the topic.
    pub(crate) kafka: KafkaSettings,
    pub(crate) acknowledged: Vec<Acknowledged>,
}

impl TestLog {
    pub(crate) async fn postgres() -> Self {
        Self::open(TestEnv::postgres().await).await
    }

    pub(crate) async fn sqlite() -> Self {
        Self::open(TestEnv::sqlite()).await
    }

    pub(crate) async fn open(env: TestEnv) -> Self {
        let store = env.database.open().await;
        Self::on(store, env)
    }

    /// On a store that was opened in another way.
    pub(crate) fn on(store: Arc<dyn Store>, env: TestEnv) -> Self {
        let Topology { shards, .. } = store.topology();
        let kafka = KafkaSettings {
            brokers: kafka(),
            topic: env.topic.clone(),
            partitions: shards,
            replication_factor: 1,
            source: "//cmgate.test".to_owned(),
            publishing: env.publishing,
            transaction_timeout: Duration::from_secs(10),
            is_volatile: false,
            properties: BTreeMap::new(),
        };
        Self { env, store, kafka, acknowledged: Vec::new() }
    }

    /// Creates, approves, starts and completes 25 requests: 100 events.
    pub(crate) async fn write(&mut self) {
        let creations: Vec<Command> = (0..25).map(|_| creation(request(1))).collect();
        let ids: Vec<RequestId> = creations.iter().map(|command| command.request).collect();
        let all = |user, action: &dyn Fn() -> Action| -> Vec<Command> {
            ids.iter().map(|id| command(user, *id, action())).collect()
        };
        let steps = [all(approver(1), &approve), all(TARGET, &start), all(TARGET, &|| complete(fresh_card()))];
        for batch in [creations].into_iter().chain(steps) {
            for reply in commit(&*self.store, &batch).await.unwrap() {
                let request = reply.unwrap().request;
                self.acknowledged.push(Acknowledged { request: request.id.uuid(), version: request.version.get() });
            }
        }
    }

    /// Audits the database and the topic against what was acknowledged.
    pub(crate) async fn audit(&self) -> Report {
        self.env.audit(self.acknowledged.clone()).await
    }
}

/// The mode of the relays of this run, but for tests that choose one: `CMGATE_TEST_PUBLISH`, else transactions.
pub(crate) fn publishing() -> Publishing {
    match std::env::var("CMGATE_TEST_PUBLISH").as_deref() {
        Err(_) | Ok("transactions") => Publishing::Transactions,
        Ok("fenced") => Publishing::Fenced,
        Ok(other) => panic!("CMGATE_TEST_PUBLISH is {other:?}"),
    }
}

/// A relay as the program runs it, without the rest of the program.
pub(crate) struct TestRelay {
    store: Arc<dyn Store>,
    relay: Relay,
}

impl TestRelay {
    pub(crate) async fn start(log: &TestLog) -> Self {
        Self::start_on(Arc::clone(&log.store), log).await
    }

    /// A relay on a store of its own.
    pub(crate) async fn start_on(store: Arc<dyn Store>, log: &TestLog) -> Self {
        let feed = Arc::new(Feed::new(store.topology().shards));
        feed.observe(&store.log_ends().await.unwrap());
        let settings = RelaySettings { kafka: log.kafka.clone(), poll_interval: Duration::from_millis(2) };
        let relay = Relay::start(&store, &feed, &Clock::System, &settings).unwrap();
        Self { store, relay }
    }

    /// Waits until every worker of this relay has halted.
    pub(crate) async fn wait_until_halted(&self) {
        let is_halted = async || self.relay.workers().iter().all(|worker| worker.state() == WorkerState::Halted);
        wait_until("every worker has halted", is_halted).await;
    }

    /// Waits until a worker of this relay has halted, and returns the reason.
    pub(crate) async fn wait_until_one_halted(&self) -> String {
        let reason = || {
            let mut workers = self.relay.workers().iter();
            workers
                .find(|worker| worker.state() == WorkerState::Halted)
                .map(|worker| worker.problem().unwrap_or_default())
        };
        wait_until("a worker has halted", async || reason().is_some()).await;
        reason().unwrap()
    }

    /// Waits until every worker of this relay has had this problem.
    pub(crate) async fn wait_until_all_have_the_problem(&self, text: &str) {
        let mut without: Vec<_> = self.relay.workers().iter().collect();
        wait_until("every worker has the problem", async || {
            without.retain(|worker| !worker.problem().is_some_and(|problem| problem.contains(text)));
            without.is_empty()
        })
        .await;
    }

    /// Whether something keeps a worker of this relay from publishing.
    pub(crate) fn has_problem(&self) -> bool {
        self.relay.workers().iter().any(|worker| worker.problem().is_some())
    }

    /// Waits until the workers of this relay have published the whole log, for as long as they make progress.
    pub(crate) async fn wait_until_published(&self) {
        let mut progressed = (Instant::now(), self.cursors());
        while !self.has_published(&self.store.log_ends().await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let cursors = self.cursors();
            if cursors != progressed.1 {
                progressed = (Instant::now(), cursors);
            }
            if progressed.0.elapsed() > PATIENCE {
                let workers: Vec<_> =
                    self.relay.workers().iter().map(|worker| (worker.state(), worker.problem())).collect();
                panic!("the relay does not reach the end of the log: {workers:?}");
            }
        }
    }

    fn cursors(&self) -> Vec<(Shard, Option<Position>)> {
        self.relay.workers().iter().flat_map(|worker| worker.cursors()).collect()
    }

    fn has_published(&self, log_ends: &[Position]) -> bool {
        self.cursors().into_iter().all(|(shard, cursor)| cursor == Some(log_ends[shard.index()]))
    }

    pub(crate) async fn stop(self) {
        self.relay.drain().await;
    }
}
