//! A rolling restart under load: clients that honour readiness or gRPC health see no call fail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use futures::FutureExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use uuid::Uuid;

use crate::audit::Acknowledged;
use crate::support::client::{CARDS, Http, REQUESTS, create, enrollment, health};
use crate::support::env::TestEnv;
use crate::support::instance::{Instance, channel};
use crate::support::wait::wait_until;

const INSTANCES: usize = 3;
/// Clients of each transport.
const CLIENTS: usize = 4;
/// How often the balancer looks whether an instance is ready; many times within the delay.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
const DELAY: (&str, &str) = ("CMGATE__SHUTDOWN__DELAY", "4s");
/// Pause of a client between two calls.
const THINKING: Duration = Duration::from_millis(5);
/// Calls over each transport between two restarts.
const PROGRESS: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Rest,
    Grpc,
}

/// The instances with their connections, which all clients of a transport share, and the calls that succeeded.
#[derive(Default)]
struct Balancer {
    instances: Mutex<Vec<Target>>,
    turn: Mutex<usize>,
    created: Mutex<Vec<(SocketAddr, Transport, Uuid)>>,
}

#[derive(Clone)]
struct Target {
    public: SocketAddr,
    private: Http,
    /// Over REST by `/readyz`, over gRPC by its health service.
    ready: [bool; 2],
    rest: reqwest::Client,
    grpc: RequestServiceClient<Channel>,
}

impl Balancer {
    fn add(&self, instance: &Instance) {
        let grpc = RequestServiceClient::new(channel(instance.public));
        let (public, private) = (instance.public, instance.private.clone());
        let target = Target { public, private, ready: [false; 2], rest: reqwest::Client::new(), grpc };
        self.instances.lock().unwrap().push(target);
    }

    fn remove(&self, public: SocketAddr) {
        self.instances.lock().unwrap().retain(|target| target.public != public);
    }

    fn is_ready(&self, public: SocketAddr) -> bool {
        self.instances.lock().unwrap().iter().any(|target| target.public == public && target.ready == [true; 2])
    }

    fn is_away(&self, public: SocketAddr) -> bool {
        self.instances.lock().unwrap().iter().all(|target| target.public != public || target.ready == [false; 2])
    }

    /// Asks all instances whether they are ready, until it is dropped.
    async fn probe(self: Arc<Self>) {
        loop {
            let targets = self.instances.lock().unwrap().clone();
            for Target { public, private, .. } in targets {
                let is_serving = health(public, "").await == ServingStatus::Serving;
                let ready = [private.get("/readyz").await.status == 200, is_serving];
                let mut targets = self.instances.lock().unwrap();
                if let Some(target) = targets.iter_mut().find(|target| target.public == public) {
                    target.ready = ready;
                }
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
    }

    fn next(&self, transport: Transport) -> Target {
        let instances = self.instances.lock().unwrap();
        let ready: Vec<&Target> = instances.iter().filter(|target| target.ready[transport as usize]).collect();
        let mut turn = self.turn.lock().unwrap();
        *turn += 1;
        ready[*turn % ready.len()].clone()
    }

    /// Creates requests, one after the other. None may fail.
    async fn create(self: Arc<Self>, transport: Transport) {
        loop {
            let mut target = self.next(transport);
            let id = match transport {
                Transport::Rest => over_rest(&target).await,
                Transport::Grpc => create(&mut target.grpc, enrollment(CARDS)).await.id,
            };
            self.created.lock().unwrap().push((target.public, transport, id.parse().unwrap()));
            tokio::time::sleep(THINKING).await;
        }
    }

    fn count(&self, transport: Transport) -> usize {
        self.created.lock().unwrap().iter().filter(|(_, over, _)| *over == transport).count()
    }

    /// Waits for more calls over both transports.
    async fn progress(&self, clients: &mut JoinSet<()>) {
        let wanted = [Transport::Rest, Transport::Grpc].map(|transport| (transport, self.count(transport) + PROGRESS));
        wait_until("more calls succeed", async || {
            if let Some(ended) = clients.try_join_next() {
                ended.expect("no call fails");
            }
            wanted.iter().all(|(transport, wanted)| self.count(*transport) >= *wanted)
        })
        .await;
    }
}

async fn over_rest(target: &Target) -> String {
    let body = json!({"type": "Enroll", "profiletemplateuuid": CARDS, "datacollection": "[]", "comment": ""});
    let url = format!("http://{}{REQUESTS}", target.public);
    let call = target.rest.post(url).header("Content-Type", "application/json").body(body.to_string());
    let answer = call.send().await.expect("the call is answered");
    assert_eq!(answer.status(), 201);
    let path: Value = serde_json::from_str(&answer.text().await.expect("the answer is complete")).unwrap();
    path.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_while_three_instances_are_restarted_one_after_the_other() {
    let env = TestEnv::postgres().await;
    let balancer = Arc::new(Balancer::default());
    let start = || {
        let instance = env.start_with(&[DELAY, ("CMGATE__DATABASE__MAX_CONNECTIONS", "4")]);
        balancer.add(&instance);
        instance
    };
    let mut instances: Vec<Instance> = (0..INSTANCES).map(|_| start()).collect();
    let mut served = Vec::new();
    let stop = CancellationToken::new();
    tokio::spawn(stop.clone().run_until_cancelled_owned(Arc::clone(&balancer).probe()));
    let all = instances.iter().map(|instance| instance.public).collect::<Vec<_>>();
    wait_until("all are ready", async || all.iter().all(|public| balancer.is_ready(*public))).await;
    let mut clients = JoinSet::new();
    for transport in [Transport::Rest, Transport::Grpc].repeat(CLIENTS) {
        clients.spawn(stop.clone().run_until_cancelled_owned(Arc::clone(&balancer).create(transport)).map(drop));
    }

    for _ in 0..INSTANCES {
        balancer.progress(&mut clients).await;
        let oldest = instances.remove(0);
        served.push(oldest.public);
        oldest.signal("TERM");
        wait_until("the balancer has noticed", async || balancer.is_away(oldest.public)).await;
        balancer.remove(oldest.public);
        oldest.ended().await;
        instances.push(tokio::task::block_in_place(start));
    }
    let renewed: Vec<SocketAddr> = instances.iter().map(|instance| instance.public).collect();
    wait_until("all are ready", async || renewed.iter().all(|public| balancer.is_ready(*public))).await;
    balancer.progress(&mut clients).await;
    stop.cancel();
    while let Some(ended) = clients.join_next().await {
        ended.expect("no call fails");
    }

    let created = std::mem::take(&mut *balancer.created.lock().unwrap());
    let mut calls: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    for (public, ..) in &created {
        *calls.entry(*public).or_default() += 1;
    }
    assert!(served.iter().chain(&renewed).all(|public| calls.contains_key(public)), "all served: {calls:?}");
    for instance in instances {
        instance.end().await;
    }
    let acknowledged = created.iter().map(|(.., request)| Acknowledged { request: *request, version: 1 });
    env.audit(acknowledged.collect()).await.assert_clean_and_published();
}
