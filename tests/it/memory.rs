//! Memory of the service under any load: callers flood the program with the largest requests that it accepts, and many callers
//! list them at once.

use std::time::Duration;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{DataItem, GetRequestRequest, GetRequestsRequest, RequestDraft};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::support::client::{CARDS, REQUESTS, creation, enrollment, info};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::wait::PATIENCE;

/// Concurrent callers, and the connections that they share.
const CALLERS: usize = 400;
const CONNECTIONS: usize = 20;

/// Number of attempts of a refused caller.
const ATTEMPTS: usize = 3;

/// Concurrent callers that send small requests meanwhile.
const SMALL_CALLERS: usize = 4;

/// Data items of a large request, and characters of each.
const ITEMS: usize = 52;
const ITEM_CHARS: usize = 16_000;

/// Concurrent callers of each kind of list, and clients that do not read their responses.
const READERS: usize = 4;
const SLOW_READERS: usize = 3;

/// Limits on the memory of the service: under any load, while it answers many lists at once, and one list at a time. The idle
/// process with its relay takes about 50 MiB of each.
const MEMORY_BYTES: usize = 256 << 20;
const LISTS_MEMORY_BYTES: usize = 160 << 20;
const LIST_MEMORY_BYTES: usize = 96 << 20;

/// Timeout of a call, long because calls wait for each other.
const SETTINGS: [(&str, &str); 1] = [("CMGATE__LIMITS__CALL_TIME", "5m")];

#[tokio::test(flavor = "multi_thread")]
async fn large_requests_are_accepted_and_listed_within_bounds_on_postgres() {
    flood_and_list(&TestEnv::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_requests_are_accepted_and_listed_within_bounds_on_sqlite() {
    flood_and_list(&TestEnv::sqlite()).await;
}

async fn flood_and_list(env: &TestEnv) {
    let requests = flood_twice(env).await;
    // Another process publishes what is left, so that the next one only lists.
    let instance = env.start_with(&SETTINGS);
    instance.wait_until_published(requests).await;
    instance.end().await;

    let instance = env.start_with(&SETTINGS);
    assert_eq!(list_over_grpc(&instance).await.len(), requests);
    assert_eq!(list_over_rest(&instance).await, requests);
    assert_peak_below(&instance, LIST_MEMORY_BYTES, "one list at a time");
    read_everything(&instance, requests).await;
    assert_peak_below(&instance, LISTS_MEMORY_BYTES, "many lists at once");
}

fn assert_peak_below(instance: &Instance, bytes: usize, load: &str) {
    let peak = instance.peak_memory();
    println!("memory: {load}, peak {} MiB", peak >> 20);
    assert!(peak < bytes, "{peak} bytes of memory; the limit for {load} is {bytes}");
}

/// Floods the service with requests of each kind of text; returns how many were created.
async fn flood_twice(env: &TestEnv) -> usize {
    let mut large = 0;
    let mut small = 0;
    // A control character has six bytes in JSON and one in a message.
    for text in ["\u{1}", "a"] {
        let instance = env.start_with(&SETTINGS);
        let (created, lesser) = flood(&instance, text).await;
        assert!(created > 0 && lesser > 0, "{created} large and {lesser} small requests were created");
        assert_peak_below(&instance, MEMORY_BYTES, &format!("{created} of {CALLERS} large requests of {text:?}"));
        large += created;
        small += lesser;
    }
    assert_eq!(env.database.count("request").await, large + small, "the answers match the stored requests");
    large + small
}

/// Sends large requests, and small ones meanwhile. Returns how many of each were created.
async fn flood(instance: &Instance, text: &str) -> (usize, usize) {
    let channels: Vec<Channel> = (0..CONNECTIONS).map(|_| channel(instance)).collect();
    let ended = CancellationToken::new();
    let large = async {
        let _ended = ended.clone().drop_guard();
        let draft = large(text);
        let callers = (0..CALLERS).map(|caller| create(channels[caller % CONNECTIONS].clone(), &draft, ATTEMPTS));
        join_all(callers).await.into_iter().filter(|created| *created).count()
    };
    let small = (0..SMALL_CALLERS).map(async |_| {
        let (channel, draft) = (channel(instance), enrollment(CARDS));
        let mut created = 0;
        while !ended.is_cancelled() {
            created += usize::from(create(channel.clone(), &draft, 1).await);
        }
        created
    });
    let (large, small) = tokio::join!(large, join_all(small));
    (large, small.into_iter().sum())
}

/// Creates a request, unless the service is overloaded. Any other answer is a defect.
async fn create(channel: Channel, draft: &RequestDraft, attempts: usize) -> bool {
    let mut client = RequestServiceClient::new(channel);
    for _ in 0..attempts {
        match client.create_request(creation(draft.clone())).await {
            Ok(_) => return true,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                assert_eq!(info(&status).reason, "OVERLOADED");
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

fn large(text: &str) -> RequestDraft {
    let item = |number: usize| DataItem { name: format!("item {number}"), value: Some(text.repeat(ITEM_CHARS)) };
    RequestDraft { data_items: (0..ITEMS).map(item).collect(), ..enrollment(CARDS) }
}

/// Reads all requests in every way at once: lists over gRPC and REST, by id, and clients that do not read their responses.
async fn read_everything(instance: &Instance, requests: usize) {
    let slow = join_all((0..SLOW_READERS).map(|_| begin_list(instance))).await;
    let over_grpc = join_all((0..READERS).map(|_| list_over_grpc(instance)));
    let over_rest = join_all((0..READERS).map(|_| list_over_rest(instance)));
    let (over_grpc, over_rest) = tokio::join!(over_grpc, over_rest);
    for ids in &over_grpc {
        assert_eq!(ids.len(), requests, "a list over gRPC has every request");
    }
    assert_eq!(over_rest, [requests; READERS], "a list over REST has every request");

    let mut client = RequestServiceClient::new(channel(instance));
    let read = over_grpc[0].iter().map(|id| {
        let mut client = client.clone();
        async move {
            match client.get_request(GetRequestRequest { id: id.clone() }).await {
                Ok(answer) => assert_eq!(answer.into_inner().request.unwrap().id, *id),
                Err(status) => assert_eq!(info(&status).reason, "OVERLOADED", "{status:?}"),
            }
        }
    });
    join_all(read).await;
    drop(slow);
    client.get_request(GetRequestRequest { id: over_grpc[0][0].clone() }).await.unwrap();
}

/// The ids of all requests, page by page. By default a client accepts responses of up to 4 MiB.
async fn list_over_grpc(instance: &Instance) -> Vec<String> {
    let mut client = RequestServiceClient::new(channel(instance));
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let call = GetRequestsRequest { page_size: 1_000, page_token: page_token.clone(), ..Default::default() };
        match client.get_requests(call).await {
            Ok(page) => {
                let page = page.into_inner();
                ids.extend(page.requests.into_iter().map(|request| request.id));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return ids;
                }
            }
            Err(status) => {
                assert_eq!(info(&status).reason, "OVERLOADED", "{status:?}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Number of requests in a list over REST, counted while reading.
async fn list_over_rest(instance: &Instance) -> usize {
    loop {
        let answer = reqwest::get(format!("http://{}{REQUESTS}", instance.public)).await.unwrap();
        if answer.status() == 200 {
            let text = answer.text().await.unwrap();
            return text.matches("\"SecurityDescriptor\":").count();
        }
        assert_eq!(answer.status(), 429);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Requests a list, and reads only the beginning of the response.
async fn begin_list(instance: &Instance) -> TcpStream {
    let mut stream = TcpStream::connect(instance.public).await.unwrap();
    stream.write_all(format!("GET {REQUESTS} HTTP/1.1\r\nHost: cmgate\r\n\r\n").as_bytes()).await.unwrap();
    let mut begin = [0; 8];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1");
    stream
}

/// A connection whose calls may take long.
fn channel(instance: &Instance) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", instance.public)).unwrap();
    endpoint.timeout(PATIENCE).connect_lazy()
}
