//! Kafka is unreachable: writes continue, the lag is visible, and nothing is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::support::client::{Http, create_many};
use crate::support::env::{MANY, TestEnv};
use crate::support::servers::{CLOSED_PORT, kafka};
use crate::support::wait::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_writes_continue_and_their_events_are_published_later() {
    let env = TestEnv::sqlite();
    let mut instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
    create_many(&mut instance.client(), MANY).await;
    wait_until_all_wait(&instance.private).await;
    assert_eq!(instance.private.get("/readyz").await.status, 200);
    instance.kill();

    let instance = env.start();
    create_many(&mut instance.client(), 1).await;
    instance.wait_until_published(MANY + 1).await;
    wait_until("the lag is zero", async || {
        let metrics = instance.private.get("/metrics").await;
        metrics.metric("cmgate_relay_lag_events") == 0.0 && metrics.metric("cmgate_relay_lag_seconds") == 0.0
    })
    .await;
    instance.end().await;
    assert_eq!(env.audit_published().await.records, MANY + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_finds_kafka_when_it_comes_back() {
    let env = TestEnv::postgres().await;
    let gate = Gate::closed().await;
    let instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", &gate.address.to_string())]);
    create_many(&mut instance.client(), MANY).await;
    wait_until_all_wait(&instance.private).await;
    gate.open();
    instance.wait_until_published(MANY).await;
    instance.end().await;
    assert_eq!(env.audit_published().await.records, MANY);
}

/// The drain retries until its time is over, because Kafka may be unreachable only for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_publishes_the_rest_if_kafka_comes_back_in_time() {
    let env = TestEnv::sqlite();
    let gate = Gate::closed().await;
    let settings = [("CMGATE__KAFKA__BROKERS", &*gate.address.to_string()), ("CMGATE__SHUTDOWN__GRACE", "60s")];
    let instance = env.start_with(&settings);
    create_many(&mut instance.client(), MANY).await;
    wait_until_all_wait(&instance.private).await;
    instance.signal("TERM");
    // Both workers have failed since then.
    wait_until("every worker has failed since shutdown started", async || {
        let log = instance.log();
        let (_, since) = log.split_once("stopping").unwrap_or_default();
        ["group=0", "group=1"].iter().all(|group| since.contains(&format!("relay worker restarts its session {group}")))
    })
    .await;
    gate.open();
    instance.ended().await;
    assert_eq!(env.audit_published().await.records, MANY);
}

/// Waits until the metrics show that all events wait.
async fn wait_until_all_wait(private: &Http) {
    wait_until("the metrics show that all events wait", async || {
        let metrics = private.get("/metrics").await;
        metrics.metric("cmgate_relay_lag_events") >= MANY as f64 && metrics.metric("cmgate_relay_lag_seconds") > 0.0
    })
    .await;
}

/// An address that forwards to Kafka once it is opened. Until then connections are closed at once.
struct Gate {
    address: SocketAddr,
    is_open: Arc<AtomicBool>,
}

impl Gate {
    async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_open = Arc::new(AtomicBool::new(false));
        tokio::spawn(Self::attend(listener, Arc::clone(&is_open)));
        Self { address, is_open }
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    async fn attend(listener: TcpListener, is_open: Arc<AtomicBool>) {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            if is_open.load(Ordering::Acquire) {
                let mut broker = TcpStream::connect(kafka()).await.unwrap();
                // Ends when either side does.
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut broker).await });
            }
        }
    }
}
