//! Browsers over the wire: CORS, and gRPC-Web over HTTP/1.1, off by default.

use cmgate::contract::v1::{GetRequestRequest, GetRequestsRequest, GetRequestsResponse};
use prost::Message;
use reqwest::header::HeaderMap;
use tokio::task::spawn_blocking;

use super::language::{TYPESCRIPT, printed};
use crate::support::client::{CARDS, REQUESTS, create, enrollment};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

const ORIGIN: &str = "https://console.example";
const GRPC_WEB: &str = "application/grpc-web+proto";

fn start(origins: &str) -> Instance {
    TestEnv::sqlite().start_with(&[("CMGATE__KAFKA__BROKERS", ""), ("CMGATE__CORS__ORIGINS", origins)])
}

fn message(content: &impl Message) -> Vec<u8> {
    let content = content.encode_to_vec();
    [&[0][..], &u32::try_from(content.len()).unwrap().to_be_bytes(), &content].concat()
}

/// Calls a method as a script of an origin does.
async fn call(instance: &Instance, origin: &str, method: &str, body: Vec<u8>) -> (u16, HeaderMap, Vec<u8>) {
    let request = reqwest::Client::new()
        .post(format!("http://{}/cmgate.v1.RequestService/{method}", instance.public))
        .header("Content-Type", GRPC_WEB)
        .header("X-Grpc-Web", "1")
        .header("Origin", origin)
        .body(body);
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_allowed_origins_can_call_over_grpc_web() {
    let instance = start(ORIGIN);
    let created = create(&mut instance.client(), enrollment(CARDS)).await;
    let list = message(&GetRequestsRequest::default());

    let (status, headers, body) = call(&instance, ORIGIN, "GetRequests", list.clone()).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, GRPC_WEB));
    assert_eq!(headers["access-control-allow-origin"], ORIGIN);
    assert!(headers["access-control-expose-headers"].to_str().unwrap().contains("grpc-status-details-bin"));
    let length = usize::try_from(u32::from_be_bytes(body[1..5].try_into().unwrap())).unwrap();
    let (first, rest) = body.split_at(5 + length);
    assert_eq!(first[0], 0);
    assert_eq!(GetRequestsResponse::decode(&first[5..]).unwrap().requests, [created]);
    assert_eq!((rest[0], &rest[5..]), (0x80, &b"grpc-status: 0\r\n"[..]));

    let missing = GetRequestRequest { id: "00000000-0000-0000-0000-000000000001".to_owned() };
    let (status, headers, _) = call(&instance, ORIGIN, "GetRequest", message(&missing)).await;
    assert_eq!((status, headers["grpc-status"].to_str().unwrap()), (200, "5"));

    let (_, headers, _) = call(&instance, "https://evil.example", "GetRequests", list).await;
    assert!(!headers.contains_key("access-control-allow-origin"), "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_for_allowed_origins_only() {
    let instance = start(ORIGIN);
    for (path, origin, is_allowed) in [
        ("/cmgate.v1.RequestService/GetRequests", ORIGIN, true),
        (REQUESTS, ORIGIN, true),
        (REQUESTS, "https://evil.example", false),
    ] {
        let request = reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, format!("http://{}{path}", instance.public))
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type");
        let response = request.send().await.unwrap();
        assert_eq!(response.status() == 204, is_allowed, "{path} {origin}");
        let allowed = response.headers().get("access-control-allow-headers");
        assert_eq!(allowed.is_some_and(|names| names == "authorization,content-type"), is_allowed);
        assert_eq!(response.headers().contains_key("access-control-allow-origin"), is_allowed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_web_is_off_without_origins() {
    let instance = start("");
    let (status, headers, _) = call(&instance, ORIGIN, "GetRequests", message(&GetRequestsRequest::default())).await;
    assert_eq!(status, 415);
    assert!(!headers.contains_key("access-control-allow-origin"), "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_for_browsers_lists_requests() {
    let instance = start(ORIGIN);
    let created = create(&mut instance.client(), enrollment(CARDS)).await;
    let url = format!("http://{}", instance.public);
    let listed = spawn_blocking(move || Some(printed(TYPESCRIPT.build()?, &["node", "dist/list_requests.js", &url])));
    let Some(listed) = listed.await.unwrap() else { return };
    assert_eq!(listed, format!("{} APPROVED\n", created.id));
}
