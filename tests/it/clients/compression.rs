//! Compressed messages and bodies over the wire: taken, given, and bounded by what they decompress to.

use std::io::{Read, Write};
use std::net::SocketAddr;

use cmgate::contract::v1::GetRequestsRequest;
use cmgate::contract::v1::GetRequestsResponse;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

use crate::support::client::{CARDS, Http, REQUESTS, create_many, creation, enrollment, info};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

const MESSAGE_BYTES: usize = 64 << 10;

fn start() -> Instance {
    let limit = MESSAGE_BYTES.to_string();
    TestEnv::sqlite().start_with(&[("CMGATE__KAFKA__BROKERS", ""), ("CMGATE__LIMITS__MESSAGE_BYTES", &limit)])
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_messages_are_taken_and_bounded() {
    let instance = start();
    let mut client = instance.client().send_compressed(CompressionEncoding::Gzip);
    let mut draft = enrollment(CARDS);
    draft.comment = "x".repeat(3_000);
    let created = client.create_request(creation(draft.clone())).await.unwrap().into_inner().request.unwrap();
    assert_eq!(created.comment, draft.comment);

    draft.comment = "x".repeat(10 * MESSAGE_BYTES);
    let refused = client.create_request(creation(draft)).await.unwrap_err();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::InvalidArgument, "MESSAGE_TOO_LARGE"));

    let message = [&[1][..], &4_u32.to_be_bytes(), b"text"].concat();
    let (status, _) = call(instance.public, "CreateRequest", &[("grpc-encoding", "gzip")], message).await;
    let refused = status.unwrap();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::InvalidArgument, "MALFORMED_MESSAGE"));

    let (status, _) = call(instance.public, "CreateRequest", &[("grpc-encoding", "deflate")], Vec::new()).await;
    assert_eq!(status.unwrap().code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_if_that_pays_and_the_client_accepts_it() {
    let instance = start();
    create_many(&mut instance.client(), 20).await;
    let list = |page_size| message(&GetRequestsRequest { page_size, ..GetRequestsRequest::default() });
    let accept: &[_] = &[("grpc-accept-encoding", "identity,gzip")];
    let mut plain_bytes = 0;
    for (headers, page_size, is_compressed) in [(&[][..], 20, false), (accept, 1, false), (accept, 20, true)] {
        let (status, body) = call(instance.public, "GetRequests", headers, list(page_size)).await;
        assert!(status.is_none(), "{status:?}");
        let (head, content) = body.split_at(5);
        assert_eq!(head[0] == 1, is_compressed, "{headers:?} {page_size}");
        let mut restored = Vec::new();
        if is_compressed {
            GzDecoder::new(content).read_to_end(&mut restored).unwrap();
            assert!(content.len() * 2 < plain_bytes, "{} of {plain_bytes}", content.len());
        } else {
            restored.extend_from_slice(content);
            plain_bytes = plain_bytes.max(content.len());
        }
        let page = GetRequestsResponse::decode(restored.as_slice()).unwrap();
        assert_eq!(page.requests.len(), usize::try_from(page_size).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_are_taken_and_bounded() {
    let instance = start();
    let body = |comment: &str| {
        format!(r#"{{"type":"Enroll","profiletemplateuuid":"{CARDS}","datacollection":"[]","comment":"{comment}"}}"#)
    };
    let (status, answer) = post(&instance, gzip(body(&"x".repeat(3_000)).as_bytes())).await;
    assert_eq!(status, 201, "{answer}");
    let id = answer.trim_matches('"').rsplit('/').next().unwrap();
    let read = Http::public(&instance).get(&format!("{REQUESTS}/{id}")).await.json();
    assert_eq!(read["Comment"].as_str().unwrap().len(), 3_000);

    let (status, answer) = post(&instance, gzip(body(&"x".repeat(1_000 * MESSAGE_BYTES)).as_bytes())).await;
    assert_eq!(status, 413, "{answer}");
    assert!(answer.contains("more than 65536 bytes"), "{answer}");

    let whole = gzip(body("").as_bytes());
    for malformed in [b"{}".to_vec(), whole[..whole.len() - 1].to_vec(), Vec::new()] {
        let (status, answer) = post(&instance, malformed).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.contains("The request body is not valid gzip"), "{answer}");
    }
}

async fn post(instance: &Instance, body: Vec<u8>) -> (u16, String) {
    let request = reqwest::Client::new()
        .post(format!("http://{}{REQUESTS}", instance.public))
        .header("Content-Type", "application/json")
        .header("Content-Encoding", "gzip")
        .body(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn message(content: &impl Message) -> Vec<u8> {
    let content = content.encode_to_vec();
    [&[0][..], &u32::try_from(content.len()).unwrap().to_be_bytes(), &content].concat()
}

/// Calls a method of `RequestService` with a body as it goes over the wire; returns the error, if any, and the body of the answer.
async fn call(service: SocketAddr, method: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (Option<Status>, Bytes) {
    let stream = TokioIo::new(TcpStream::connect(service).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://{service}/cmgate.v1.RequestService/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
    let status = Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok);
    (status, response.into_body().collect().await.unwrap().to_bytes())
}
