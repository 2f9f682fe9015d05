//! Kills under load: the service, the broker, the database. After each round nothing that was acknowledged is missing, and
//! nothing is twice or out of order.

use std::env;
use std::time::Duration;

use uuid::Uuid;

use crate::audit::{Acknowledged, audit};
use crate::instance::{Instance, Place};
use crate::load::{Addresses, Load};
use crate::services::{Database, Exclusive, control, fresh_topic, kafka};

/// Rounds of each kind, unless `CMGATE_TEST_ROUNDS` says otherwise.
const ROUNDS: u32 = 10;

/// Rounds of stops at most; each waits until the database gives up the process that was stopped.
const STOPS: u32 = 3;

/// Clients that call at the same time.
const CLIENTS: usize = 16;

/// Lanes of the relay, as configured by default.
const LANES: usize = 2;

/// Changes that must be acknowledged before and after a kill, so that it happens under load.
const PROGRESS: usize = 60;

/// Longest wait for the relay to publish what the log holds; long, since a broker may have to recover first.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_service_is_killed() {
    let mut stage = Stage::set().await;
    for round in 0..rounds() {
        let load = stage.load();
        load.progress(PROGRESS).await;
        any_moment().await;
        let victim = round as usize % 2;
        stage.instances[victim].kill();
        load.progress(PROGRESS).await;
        stage.instances[victim] = Instance::start(&stage.place);
        stage.tell_addresses();
        load.progress(PROGRESS).await;
        stage.settle(load, round).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_is_killed() {
    let mut stage = Stage::set().await;
    for round in 0..rounds() {
        let load = stage.load();
        load.progress(PROGRESS).await;
        any_moment().await;
        control("kafka", "kill");
        // Writes go on without Kafka.
        load.progress(PROGRESS).await;
        control("kafka", "start");
        load.progress(PROGRESS).await;
        stage.settle(load, round).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_database_is_killed() {
    let mut stage = Stage::set().await;
    for round in 0..rounds() {
        let load = stage.load();
        load.progress(PROGRESS).await;
        any_moment().await;
        control("postgres", "kill");
        any_moment().await;
        control("postgres", "start");
        load.progress(PROGRESS).await;
        stage.settle(load, round).await;
    }
}

/// A process that was stopped for longer than every limit wakes up in the belief that it owns the lanes.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_owner_publishes_nothing_once_it_was_replaced() {
    let mut stage = Stage::set().await;
    for round in 0..rounds().min(STOPS) {
        let load = stage.load();
        load.progress(PROGRESS).await;
        let owner = stage.owner().await;
        any_moment().await;
        stage.instances[owner].signal("STOP");
        stage.wait_for_owner(1 - owner).await;
        load.progress(PROGRESS).await;
        stage.instances[owner].signal("CONT");
        load.progress(PROGRESS).await;
        stage.settle(load, round).await;
    }
}

fn rounds() -> u32 {
    env::var("CMGATE_TEST_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap())
}

/// A pause of random length, so that kills meet every phase of the work.
async fn any_moment() {
    let random = u64::from(Uuid::new_v4().as_bytes()[0]);
    tokio::time::sleep(Duration::from_millis(random)).await;
}

/// Two instances on one database and one topic, and what their clients were told.
struct Stage {
    instances: [Instance; 2],
    addresses: Addresses,
    acknowledged: Vec<Acknowledged>,
    place: Place,
    database: Database,
    _servers: Exclusive,
}

impl Stage {
    async fn set() -> Self {
        let servers = Exclusive::take();
        let database = Database::create_within(&servers).await;
        let place = Place { database: database.url().to_owned(), topic: fresh_topic() };
        let instances = [Instance::start(&place), Instance::start(&place)];
        let stage = Self {
            instances,
            addresses: Addresses::default(),
            acknowledged: Vec::new(),
            place,
            database,
            _servers: servers,
        };
        stage.tell_addresses();
        stage
    }

    fn tell_addresses(&self) {
        self.addresses.set(self.instances.iter().map(|instance| instance.public).collect());
    }

    /// The instance that owns most lanes.
    async fn owner(&self) -> usize {
        let [first, second] = [self.lanes(0).await, self.lanes(1).await];
        usize::from(second > first)
    }

    /// Waits until an instance owns every lane.
    async fn wait_for_owner(&self, instance: usize) {
        let owned = async {
            while self.lanes(instance).await < LANES {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, owned).await.expect("the other instance takes over");
    }

    /// How many lanes stream in an instance, as its readiness tells.
    async fn lanes(&self, instance: usize) -> usize {
        let url = format!("http://{}/readyz", self.instances[instance].private);
        let told = reqwest::get(url).await.unwrap().text().await.unwrap();
        told.matches("\"streaming\"").count()
    }

    fn load(&self) -> Load {
        Load::start(CLIENTS, &self.addresses)
    }

    /// Ends the load, waits until everything is published, and audits.
    async fn settle(&mut self, load: Load, round: u32) {
        self.acknowledged.extend(load.stop().await);
        let published = async {
            loop {
                let report = self.audit().await;
                report.assert_clean();
                if report.unpublished == 0 {
                    return report;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let report = tokio::time::timeout(PATIENCE, published).await;
        let report = report.unwrap_or_else(|_| panic!("round {round}: the log was not published in {PATIENCE:?}"));
        println!("round {round}: {report}");
    }

    async fn audit(&self) -> crate::audit::Report {
        let acknowledged = self.acknowledged.clone();
        audit(self.database.url(), &kafka(), &self.place.topic, acknowledged).await.unwrap()
    }
}
