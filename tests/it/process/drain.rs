//! SIGTERM: nothing new is taken, what is under way is answered, and the log is published.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::audit::audit;
use crate::client::{CARDS, Http, REQUESTS, create_many, wait_until};
use crate::dice::Dice;
use crate::instance::{Instance, Place};
use crate::load::{Addresses, Answered, Load};
use crate::services::{Database, DatabaseFile, fresh_topic, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_under_load_has_published_all_that_it_acknowledged() {
    let database = Database::create().await;
    let place = Place { database: database.url().to_owned(), topic: fresh_topic() };
    let mut acknowledged = Vec::new();
    // The second one goes on where the first one ended.
    for _ in 0..2 {
        let mut instance = Instance::start(&place);
        let addresses = Addresses::default();
        addresses.set(vec![instance.public]);
        let load = Load::start(16, &addresses, &Dice::new(Dice::seed()));
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
        let report = audit(&place.database, &kafka(), &place.topic, acknowledged.clone()).await.unwrap();
        report.assert_clean_and_published();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_is_answered_while_nothing_new_is_taken() {
    let file = DatabaseFile::create();
    let place = Place { database: file.url(), topic: fresh_topic() };
    let mut instance = Instance::start_with(&place, &[("CMGATE__SHUTDOWN__GRACE", "60s")]);
    let private = Http::private(&instance);
    let ready = private.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    create_many(&mut instance.client(), 1).await;

    let slow = SlowCall::begin(instance.public).await;
    instance.signal("TERM");
    wait_until("the service says that it is stopping", async || private.get("/readyz").await.status == 503).await;
    let report = private.get("/readyz").await.json();
    assert_eq!(report["checks"]["accepting"]["detail"], "the process is stopping", "{report}");
    assert_eq!(report["checks"]["database"]["ok"], true, "{report}");
    assert_eq!(private.get("/livez").await.status, 200, "it lives until it has ended");
    wait_until("no connection is taken", async || TcpStream::connect(instance.public).await.is_err()).await;

    let answer = slow.finish().await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    let status = tokio::task::spawn_blocking(move || instance.wait()).await.unwrap();
    assert!(status.success(), "{status}");
    let report = audit(&place.database, &kafka(), &place.topic, Vec::new()).await.unwrap();
    report.assert_clean_and_published();
    assert_eq!(report.records, 2, "{report}");
}

/// A create call whose body comes when the test wants it to.
struct SlowCall {
    connection: TcpStream,
    body: String,
}

impl SlowCall {
    /// Sends the head, and waits until the handler of the call asks for the body.
    async fn begin(address: SocketAddr) -> Self {
        let body =
            format!(r#"{{"type": "Enroll", "profiletemplateuuid": "{CARDS}", "datacollection": "[]", "comment": ""}}"#);
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

    /// Sends the body, and gives the answer.
    async fn finish(mut self) -> String {
        self.connection.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
