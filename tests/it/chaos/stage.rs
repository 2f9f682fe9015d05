//! The stage of the faults: three instances over one database and one topic, with clients at work.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::figures::Figures;
use super::keys::check_keys;
use super::proxy::{Protocol, Proxy};
use super::watch::Watch;
use crate::audit::audit;
use crate::client::{Http, lanes, wait_until};
use crate::dice::Dice;
use crate::instance::{Instance, Place};
use crate::load::{Addresses, Answered, Load};
use crate::services::{Database, Exclusive, fresh_topic, kafka, postgres_address};

/// Instances of the service.
pub(super) const INSTANCES: usize = 3;

/// Clients that call at the same time.
const CLIENTS: usize = 12;

/// Changes that must be acknowledged before and after a fault, so that it happens under load.
const PROGRESS: usize = 40;

/// Longest pause before a fault, so that it meets any phase of the work.
const ANY_MOMENT: Duration = Duration::from_millis(200);

/// Partitions of a topic that the service makes, and lanes of its relay.
const PARTITIONS: u16 = 8;
const LANES: usize = 2;

/// Few connections, since several stages share a server; and transactions that end soon, so that an outage can outlast them.
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

/// The instances, what their clients were told, and who watches.
pub(super) struct Stage {
    pub(super) instances: Vec<Instance>,
    pub(super) place: Place,
    pub(super) dice: Dice,
    addresses: Addresses,
    load: Option<Load>,
    answered: Vec<Answered>,
    events: usize,
    takeover: Duration,
    watch: Watch,
    proxy: Option<Proxy>,
    settings: Vec<(&'static str, String)>,
    database: Database,
}

impl Stage {
    /// Sets the stage, on servers that this test has for itself or shares with others.
    pub(super) async fn set(wiring: Wiring, servers: Option<&Exclusive>) -> Self {
        let database = match servers {
            Some(servers) => Database::create_within(servers).await,
            None => Database::create().await,
        };
        let mut settings: Vec<_> = SETTINGS.map(|(name, value)| (name, value.to_owned())).into();
        let proxy = proxy(wiring).await;
        match (wiring, &proxy) {
            (Wiring::ProxiedPostgres, Some(proxy)) => {
                settings.push(("CMGATE__DATABASE__URL", database.url_at(proxy.address)));
            }
            (Wiring::ProxiedKafka, Some(proxy)) => settings.push(("CMGATE__KAFKA__BROKERS", proxy.address.to_string())),
            _ => {}
        }
        let place = Place { database: database.url().to_owned(), topic: fresh_topic() };
        let mut stage = Self {
            instances: Vec::new(),
            watch: Watch::start(&place.topic, PARTITIONS),
            place,
            dice: Dice::new(0),
            addresses: Addresses::default(),
            load: None,
            answered: Vec::new(),
            events: 0,
            takeover: Duration::ZERO,
            proxy,
            settings,
            database,
        };
        stage.instances = (0..INSTANCES).map(|_| stage.start_instance()).collect();
        stage.tell_addresses();
        stage.wait_for_owner(&[0, 1, 2]).await;
        stage
    }

    /// Begins a round: the load goes on, and a moment comes that nobody chose.
    pub(super) async fn begin(&mut self, dice: Dice) {
        self.dice = dice;
        self.load = Some(Load::start(CLIENTS, &self.addresses, &self.dice.fork(1)));
        self.progress().await;
        let heads = self.heads().await;
        wait_until("the topic follows the log", async || self.watch.reaches(&heads)).await;
        self.any_moment().await;
    }

    /// Ends a round whose fault has ended: the system recovers, everything is published, and all of it is audited.
    pub(super) async fn settle(&mut self, mended: Instant, figures: &Figures) -> String {
        let load = self.load.take().expect("the load began with the round");
        let heads = self.heads().await;
        wait_until("what was written before is published", async || self.watch.reaches(&heads)).await;
        load.progress(1).await;
        let recovery = mended.elapsed().max(std::mem::take(&mut self.takeover));
        load.progress(PROGRESS).await;
        let unknown = load.unknown();
        let answered = load.stop().await;
        figures.add_round(answered.len(), unknown, recovery);
        self.answered.extend(answered);
        self.audit(figures).await + &format!(", recovered in {recovery:.3?}")
    }

    /// Audits until everything is published: a call whose caller has gone may still have come to its end meanwhile.
    async fn audit(&mut self, figures: &Figures) -> String {
        let report = loop {
            let heads = self.heads().await;
            wait_until("everything is published", async || self.watch.reaches(&heads)).await;
            let acknowledged = self.answered.iter().map(Answered::acknowledged).collect();
            let report = audit(self.database.url(), &kafka(), &self.place.topic, acknowledged).await.unwrap();
            if report.unpublished == 0 || !report.violations.is_empty() {
                break report;
            }
        };
        figures.add_audit(report.events - self.events, &report);
        self.events = report.events;
        self.watch.assert_in_order();
        report.assert_clean();
        check_keys(self.database.url(), &self.answered).await;
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

    /// Waits until the load has really gone on.
    pub(super) async fn progress(&self) {
        self.load().progress(PROGRESS).await;
    }

    /// Takes note of a recovery that was over before the fault was.
    pub(super) fn note_takeover(&mut self, took: Duration) {
        self.takeover = took;
    }

    /// Waits for a time that the dice choose.
    pub(super) async fn any_moment(&mut self) {
        tokio::time::sleep(self.dice.up_to(ANY_MOMENT)).await;
    }

    /// The proxy.
    pub(super) fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("the wiring of this stage has one")
    }

    /// Starts an instance where the others run.
    pub(super) fn start_instance(&self) -> Instance {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (*name, &**value)).collect();
        Instance::start_with(&self.place, &settings)
    }

    /// Has the clients know the instances that there are now.
    pub(super) fn tell_addresses(&self) {
        self.addresses.set(self.instances.iter().map(|instance| instance.public).collect());
    }

    /// The instance that owns most lanes.
    pub(super) async fn owner(&self) -> usize {
        let mut owner = (0, 0);
        for instance in 0..INSTANCES {
            owner = owner.max((self.streaming(instance).await, instance));
        }
        owner.1
    }

    /// Waits until every lane streams in one of these instances.
    pub(super) async fn wait_for_owner(&self, instances: &[usize]) {
        wait_until("every lane has an owner", async || {
            let mut streaming = 0;
            for instance in instances {
                streaming += self.streaming(*instance).await;
            }
            streaming >= LANES
        })
        .await;
    }

    /// How many lanes stream in an instance, as its readiness tells.
    async fn streaming(&self, instance: usize) -> usize {
        let lanes = lanes(&Http::private(&self.instances[instance])).await;
        lanes.iter().filter(|(state, _)| state == "streaming").count()
    }

    /// Waits until everything that is in the log by now is published.
    pub(super) async fn wait_until_published(&self) {
        let heads = self.heads().await;
        wait_until("what is in the log is published", async || self.watch.reaches(&heads)).await;
    }

    /// The last position of each shard in the database.
    async fn heads(&self) -> Vec<u64> {
        let mut connection = PgConnection::connect(self.database.url()).await.unwrap();
        let sql = "SELECT next - 1 FROM event_head ORDER BY shard";
        let heads: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        heads.into_iter().map(i64::cast_unsigned).collect()
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
