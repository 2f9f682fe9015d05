//! Limits of callers over the wire: one caller at full speed, others beside it, and calls in flight.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use cmgate::contract::v1::{GetRequestRequest, GetRequestsRequest};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt;

use super::{Api, EMBEDDED};
use crate::support::client::{CARDS, DEV, JUDGE, PAVLE, REQUESTS, SECOND_JUDGE, creation, enrollment, info, sent_by};
use crate::support::wait::wait_until;

/// Calls per second, and at once, of each caller.
const RATE: usize = 20;
const BURST: usize = 40;
/// Loops over each transport of the caller that exceeds its rate.
const LOOPS: usize = 4;
/// Its calls that must be refused before the test ends.
const REFUSED: usize = 400;

/// The counter of refused calls, with its labels.
const COUNTER: &str = "cmgate_calls_over_limit_total";

/// What the caller at full speed observed.
#[derive(Default)]
struct Tally {
    admitted: AtomicUsize,
    refused: AtomicUsize,
}

impl Tally {
    fn add(&self, is_admitted: bool) {
        let counter = if is_admitted { &self.admitted } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_at_full_speed_is_limited_and_others_are_not_refused() {
    let (rate, burst) = (RATE.to_string(), BURST.to_string());
    let api = Api::start_with(&[
        EMBEDDED,
        ("CMGATE__LIMITS__CALLER__RATE", &rate),
        ("CMGATE__LIMITS__CALLER__BURST", &burst),
        ("CMGATE__LIMITS__CALLERS__0__USER", SECOND_JUDGE),
        ("CMGATE__LIMITS__CALLERS__0__RATE", "0"),
    ]);
    let (tally, stop, begun) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)), Instant::now());
    let fast: Vec<_> = (0..2 * LOOPS)
        .map(|number| {
            let (tally, stop) = (Arc::clone(&tally), Arc::clone(&stop));
            let (mut client, http) = (api.client.clone(), api.http.by(PAVLE));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if number % 2 == 0 {
                        let answer = http.get(&format!("{REQUESTS}?targetuser=current")).await;
                        tally.add(answer.status != 429);
                        if answer.status == 429 {
                            assert_eq!(answer.header("retry-after"), "1");
                            assert!(answer.json()["Message"].as_str().unwrap().contains("20 calls per second"));
                        }
                        continue;
                    }
                    let answer = client.get_requests(sent_by(PAVLE, GetRequestsRequest::default())).await;
                    tally.add(answer.is_ok());
                    let Err(refused) = answer else { continue };
                    assert_eq!(
                        (refused.code(), info(&refused).reason.as_str()),
                        (Code::ResourceExhausted, "CALLER_LIMIT")
                    );
                    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
                }
            })
        })
        .collect();

    // Each of the others makes no more calls than it may make at once, so none of them depends on the time.
    wait_until("the fast caller exceeds its rate", async || tally.refused.load(Ordering::Relaxed) > 0).await;
    let (mut client, http) = (api.client.clone(), api.http.by(JUDGE));
    for _ in 0..BURST {
        client.create_request(sent_by(DEV, creation(enrollment(CARDS)))).await.unwrap();
        assert_eq!(http.get(&format!("{REQUESTS}?targetuser=current")).await.status, 204);
    }
    let unlimited = api.http.by(SECOND_JUDGE);
    let lists = (0..8 * BURST).map(async |_| unlimited.get(&format!("{REQUESTS}?targetuser=current")).await.status);
    assert!(join_all(lists).await.iter().all(|status| *status == 204), "a limit of its own is in force");
    wait_until("more calls are refused", async || tally.refused.load(Ordering::Relaxed) >= REFUSED).await;
    stop.store(true, Ordering::Relaxed);
    for task in join_all(fast).await {
        task.unwrap();
    }
    let (admitted, refused) = (tally.admitted.load(Ordering::Relaxed), tally.refused.load(Ordering::Relaxed));
    let elapsed = usize::try_from(begun.elapsed().as_millis()).unwrap();
    let allowed = BURST + elapsed * RATE / 1_000;
    assert!((BURST..=allowed).contains(&admitted), "{admitted} calls of at most {allowed} were admitted");

    let metrics = api.instance.private.get("/metrics").await;
    let line = format!("{COUNTER}{{entry=\"none\",limit=\"rate\"}} {refused}");
    assert!(metrics.body.lines().any(|found| found == line), "{line}\n{}", metrics.body);
    let log = api.instance.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("call refused: the caller exceeds")).collect();
    assert!(lines.iter().all(|line| line.contains(PAVLE) && line.contains("call{id=")), "{lines:#?}");
    let allowed = 1 + begun.elapsed().as_secs() / 10;
    assert!((1..=allowed).contains(&(lines.len() as u64)), "a line in ten seconds: {lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_are_limited_and_end_with_their_connection() {
    let api = Api::start_with(&[EMBEDDED, ("CMGATE__LIMITS__CALLER__CALLS", "2")]);
    let mut client = api.client.clone();
    let get = || GetRequestRequest { id: "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01".to_owned() };
    let first = begin_post(api.instance.public).await;
    let second = begin_post(api.instance.public).await;
    let refused = client.get_request(get()).await.unwrap_err();
    assert_eq!(info(&refused).reason, "CALLER_LIMIT");
    assert!(refused.message().starts_with("the caller has 2 calls in flight"), "{refused:?}");
    assert_eq!(api.http.get(REQUESTS).await.status, 429);
    assert_eq!(api.http.by(JUDGE).get(REQUESTS).await.status, 204);

    drop(first);
    wait_until("a call ended with its connection", async || api.http.get(REQUESTS).await.status == 204).await;
    let third = begin_post(api.instance.public).await;
    assert_eq!(api.http.get(REQUESTS).await.status, 429);
    end_post(second).await;
    end_post(third).await;
    for _ in 0..10 {
        assert_eq!(api.http.get(REQUESTS).await.status, 204, "no call is left in flight");
    }
}

/// Begins a call, and returns once its handler waits for the body.
async fn begin_post(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {REQUESTS} HTTP/1.1\r\nHost: cmgate\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked = vec![0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Sends the body, which has no fields, and reads the answer.
async fn end_post(mut stream: TcpStream) {
    stream.write_all(b"{}").await.unwrap();
    let mut status = vec![0; b"HTTP/1.1 400".len()];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(status, b"HTTP/1.1 400");
}
