//! Several instances over one database and one topic, under load, and the audit after each fault.

use std::time::{Duration, Instant};

use cmgate::store::Publishing;
use fastrand::Rng;

use super::figures::Figures;
use super::keys::check_keys;
use super::proxy::{Protocol, Proxy};
use super::watch::Watch;
use crate::load::{Addresses, Answered, Load};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::random;
use crate::support::servers::{Exclusive, postgres_address};
use crate::support::wait::wait_until;

/// Instances of the service.
pub(super) const INSTANCES: usize = 3;

/// Clients that call at the same time.
const CLIENTS: usize = 12;

/// Changes that are acknowledged before and after a fault, so that it happens under load.
const PROGRESS: usize = 40;

/// Longest pause before a fault, so that it hits every phase of the work.
const ANY_MOMENT: Duration = Duration::from_millis(200);

/// Partitions of a topic that the service makes, and workers of its relay.
const PARTITIONS: u16 = 8;
const WORKERS: usize = 2;

/// Few connections, because fleets share a server; and a short transaction timeout, so that an outage can outlast it.
const SETTINGS: [(&str, &str); 2] =
    [("CMGATE__DATABASE__MAX_CONNECTIONS", "2"), ("CMGATE__KAFKA__TRANSACTION_TIMEOUT", "2s")];

/// Longest time for which an instance waits for a commit to Kafka under these settings, and a little more.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_secs(8);

/// What lies between the instances and a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wiring {
    /// Nothing.
    Direct,
    /// A proxy before Postgres.
    ProxiedPostgres,
    /// A proxy before Kafka.
    ProxiedKafka,
}

/// Instances under load: the answers that clients got, and a consumer that follows the topic.
pub(super) struct Fleet {
    pub(super) instances: Vec<Instance>,
    pub(super) env: TestEnv,
    pub(super) rng: Rng,
    addresses: Addresses,
    load: Option<Load>,
    answered: Vec<Answered>,
    events: usize,
    takeover: Duration,
    watch: Watch,
    proxy: Option<Proxy>,
    settings: Vec<(&'static str, String)>,
}

impl Fleet {
    /// Starts the fleet, on servers that this test has for itself or shares with others.
    pub(super) async fn start(publishing: Publishing, wiring: Wiring, servers: Option<&Exclusive>) -> Self {
        let env = match servers {
            Some(servers) => TestEnv::postgres_within(servers).await,
            None => TestEnv::postgres().await,
        };
        let env = env.published(publishing);
        let mut settings: Vec<_> = SETTINGS.map(|(name, value)| (name, value.to_owned())).into();
        let proxy = proxy(wiring).await;
        match (wiring, &proxy) {
            (Wiring::ProxiedPostgres, Some(proxy)) => {
                settings.push(("CMGATE__DATABASE__URL", env.database.url_at(proxy.address)));
            }
            (Wiring::ProxiedKafka, Some(proxy)) => settings.push(("CMGATE__KAFKA__BROKERS", proxy.address.to_string())),
            _ => {}
        }
        let mut fleet = Self {
            instances: Vec::new(),
            watch: Watch::start(&env.topic, PARTITIONS),
            env,
            rng: random::rng(0, 0),
            addresses: Addresses::default(),
            load: None,
            answered: Vec::new(),
            events: 0,
            takeover: Duration::ZERO,
            proxy,
            settings,
        };
        fleet.instances = (0..INSTANCES).map(|_| fleet.start_instance()).collect();
        fleet.tell_addresses();
        fleet.wait_for_owner(&[0, 1, 2]).await;
        fleet
    }

    /// Begins a round: waits until the load runs, then for a random time.
    pub(super) async fn begin(&mut self, rng: Rng) {
        self.rng = rng;
        self.load = Some(Load::start(CLIENTS, &self.addresses, self.rng.fork()));
        self.progress().await;
        let heads = self.env.database.log_ends().await;
        wait_until("the topic follows the log", async || self.watch.reaches(&heads)).await;
        self.any_moment().await;
    }

    /// Ends a round after its fault: waits for recovery, then audits everything.
    pub(super) async fn settle(&mut self, mended: Instant, figures: &Figures) -> String {
        let load = self.load.take().expect("the load began with the round");
        let heads = self.env.database.log_ends().await;
        wait_until("earlier writes are published", async || self.watch.reaches(&heads)).await;
        load.progress(1).await;
        let recovery = mended.elapsed().max(std::mem::take(&mut self.takeover));
        load.progress(PROGRESS).await;
        let unknown = load.unknown();
        let answered = load.stop().await;
        figures.add_round(answered.len(), unknown, recovery);
        self.answered.extend(answered);
        self.audit(figures).await + &format!(", recovered in {recovery:.3?}")
    }

    /// Audits until everything is published: a call whose caller has disconnected may still complete meanwhile.
    async fn audit(&mut self, figures: &Figures) -> String {
        let report = loop {
            let heads = self.env.database.log_ends().await;
            wait_until("everything is published", async || self.watch.reaches(&heads)).await;
            let acknowledged = self.answered.iter().map(Answered::acknowledged).collect();
            let report = self.env.audit(acknowledged).await;
            if report.unpublished == 0 || !report.violations.is_empty() {
                break report;
            }
        };
        figures.add_audit(report.events - self.events, &report);
        self.events = report.events;
        self.watch.assert_in_order();
        report.assert_clean();
        check_keys(self.env.database.url(), &self.answered).await;
        report.to_string()
    }

    /// Adds writes that were acknowledged to others than the clients of the load.
    pub(super) fn remember(&mut self, answered: Vec<Answered>) {
        self.answered.extend(answered);
    }

    /// The clients of this round.
    pub(super) fn load(&self) -> &Load {
        self.load.as_ref().expect("the load began with the round")
    }

    /// Waits until the load has made progress.
    pub(super) async fn progress(&self) {
        self.load().progress(PROGRESS).await;
    }

    /// Records a recovery that ended before the fault did.
    pub(super) fn note_takeover(&mut self, took: Duration) {
        self.takeover = took;
    }

    /// Waits for a random time.
    pub(super) async fn any_moment(&mut self) {
        tokio::time::sleep(random::up_to(&mut self.rng, ANY_MOMENT)).await;
    }

    /// The proxy.
    pub(super) fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("this fleet has a proxy")
    }

    /// Starts another instance on the environment.
    pub(super) fn start_instance(&self) -> Instance {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (*name, &**value)).collect();
        self.env.start_with(&settings)
    }

    /// Tells the clients which instances exist now.
    pub(super) fn tell_addresses(&self) {
        self.addresses.set(self.instances.iter().map(|instance| instance.public).collect());
    }

    /// The instance that owns most partition groups.
    pub(super) async fn owner(&self) -> usize {
        let mut owner = (0, 0);
        for instance in 0..INSTANCES {
            owner = owner.max((self.streaming(instance).await, instance));
        }
        owner.1
    }

    /// Waits until every worker streams in one of these instances.
    pub(super) async fn wait_for_owner(&self, instances: &[usize]) {
        wait_until("every partition group has an owner", async || {
            let mut streaming = 0;
            for instance in instances {
                streaming += self.streaming(*instance).await;
            }
            streaming >= WORKERS
        })
        .await;
    }

    /// How many workers stream in an instance, according to its readiness report.
    async fn streaming(&self, instance: usize) -> usize {
        let workers = self.instances[instance].workers().await;
        workers.iter().filter(|(state, _)| state == "streaming").count()
    }

    /// Waits until everything that is in the log by now is published.
    pub(super) async fn wait_until_published(&self) {
        let heads = self.env.database.log_ends().await;
        wait_until("the log is published", async || self.watch.reaches(&heads)).await;
    }
}

async fn proxy(wiring: Wiring) -> Option<Proxy> {
    match wiring {
        Wiring::Direct => None,
        Wiring::ProxiedPostgres => {
            let anywhere = ([127, 0, 0, 1], 0).into();
            Some(Proxy::start(Protocol::Postgres, anywhere, postgres_address()).await)
        }
        Wiring::ProxiedKafka => Some(Proxy::before_kafka().await),
    }
}
