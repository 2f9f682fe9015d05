//! SIGTERM: the service refuses new calls, answers calls in progress, and publishes the log.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, Serving};

use crate::load::{Addresses, Answered, Load};
use crate::support::client::{CARDS, Http, REQUESTS, create_many, health};
use crate::support::env::TestEnv;
use crate::support::random;
use crate::support::wait::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_under_load_publishes_every_acknowledged_write() {
    let env = TestEnv::postgres().await;
    let mut acknowledged = Vec::new();
    // The second instance continues where the first one ended.
    for _ in 0..2 {
        let mut instance = env.start();
        let addresses = Addresses::default();
        addresses.set(vec![instance.public]);
        let load = Load::start(16, &addresses, random::rng(random::seed(), 0));
        load.progress(500).await;
        instance.signal("TERM");
        let (instance, status) = tokio::task::spawn_blocking(move || {
            let status = instance.wait();
            (instance, status)
        })
        .await
        .unwrap();
        assert!(status.success(), "{status}\n{}", instance.log());
        acknowledged.extend(load.stop().await.iter().map(Answered::acknowledged));
        let report = env.audit(acknowledged.clone()).await;
        report.assert_clean_and_published();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_service_answers_calls_in_progress_and_refuses_new_ones() {
    let env = TestEnv::sqlite();
    let mut instance = env.start_with(&[("CMGATE__SHUTDOWN__GRACE", "60s")]);
    let private = instance.private.clone();
    let ready = private.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    create_many(&mut instance.client(), 1).await;

    let slow = SlowCall::begin(instance.public).await;
    instance.signal("TERM");
    wait_until("the service reports that it is stopping", async || private.get("/readyz").await.status == 503).await;
    let report = private.get("/readyz").await.json();
    assert_eq!(report["checks"]["accepting"]["detail"], "the process is stopping", "{report}");
    assert_eq!(report["checks"]["database"]["ok"], true, "{report}");
    assert_eq!(private.get("/livez").await.status, 200, "the process is alive until it exits");
    wait_until("connections are refused", async || TcpStream::connect(instance.public).await.is_err()).await;

    let answer = slow.finish().await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    let status = tokio::task::spawn_blocking(move || instance.wait()).await.unwrap();
    assert!(status.success(), "{status}");
    let report = env.audit(Vec::new()).await;
    report.assert_clean_and_published();
    assert_eq!(report.records, 2, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_delay_the_service_is_not_ready_but_serves() {
    let env = TestEnv::sqlite();
    let instance = env.start_with(&[("CMGATE__SHUTDOWN__DELAY", "10m"), ("CMGATE__KAFKA__BROKERS", "")]);
    let (private, public) = (instance.private.clone(), Http::public(&instance));
    let ports = [instance.public, private.address()];
    assert_eq!((private.get("/readyz").await.status, healths(ports).await), (200, [[Serving; 2]; 2]));
    let connected = public.post(&[], &creation_body()).await;
    assert_eq!((connected.status, connected.headers.get("connection")), (201, None));

    instance.signal("TERM");
    wait_until("the service is not ready", async || private.get("/readyz").await.status == 503).await;
    // The server is not serving, its liveness is: nothing should restart it.
    wait_until("health is off", async || healths(ports).await == [[NotServing, Serving]; 2]).await;
    let answer = public.post(&[], &creation_body()).await;
    assert_eq!((answer.status, answer.header("connection")), (201, "close"), "{answer:?}");
    create_many(&mut instance.client(), 1).await;
    assert_eq!(private.get("/livez").await.status, 200);

    instance.signal("TERM");
    instance.ended().await;
    assert_eq!(env.database.count("request").await, 3);
}

/// The health of the server and its liveness, on each port.
async fn healths(ports: [SocketAddr; 2]) -> [[ServingStatus; 2]; 2] {
    let mut found = [[ServingStatus::Unknown; 2]; 2];
    for (port, statuses) in ports.into_iter().zip(&mut found) {
        for (service, status) in ["", "liveness"].into_iter().zip(statuses) {
            *status = health(port, service).await;
        }
    }
    found
}

fn creation_body() -> String {
    format!(r#"{{"type": "Enroll", "profiletemplateuuid": "{CARDS}", "datacollection": "[]", "comment": ""}}"#)
}

/// A create call whose body is sent when the test decides.
struct SlowCall {
    connection: TcpStream,
    body: String,
}

impl SlowCall {
    /// Sends the head, and waits for `100 Continue`, which shows that the handler reads the body.
    async fn begin(address: SocketAddr) -> Self {
        let body = creation_body();
        let head = format!(
            "POST {REQUESTS} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Expect: 100-continue\r\n\r\n",
            body.len()
        );
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut asked = vec![0; expected.len()];
        connection.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, expected);
        Self { connection, body }
    }

    /// Sends the body and returns the response.
    async fn finish(mut self) -> String {
        self.connection.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
