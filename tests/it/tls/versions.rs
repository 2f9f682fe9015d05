//! The versions of TLS and HTTP on one port.

use bytes::Bytes;
use http::{Method, Version};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{H2, HTTP1, TlsClient};
use super::pki::Ca;
use super::{PAGE, Site};
use crate::support::client::{CARDS, REQUESTS, create_many};

#[tokio::test(flavor = "multi_thread")]
async fn alpn_chooses_the_version_of_http() {
    let site = Site::new();
    let instance = site.start(&[]);
    let body = format!(r#"{{"type":"Enroll","profiletemplateuuid":"{CARDS}","datacollection":"[]","comment":""}}"#);
    for (offered, version) in [
        (&[H2, HTTP1][..], Version::HTTP_2),
        (&[HTTP1, H2], Version::HTTP_2),
        (&[H2], Version::HTTP_2),
        (&[HTTP1], Version::HTTP_11),
        (&[], Version::HTTP_11),
        (&["acme", HTTP1], Version::HTTP_11),
    ] {
        let mut connection = site.client().offering(offered).open(instance.public).await.unwrap();
        for _ in 0..2 {
            let json = [("Content-Type", "application/json")];
            let sent = connection.send(Method::POST, REQUESTS, &json, Bytes::from(body.clone()));
            let answer = sent.await.unwrap();
            assert_eq!((answer.status, answer.version, answer.closes), (201, version, false), "{offered:?} {answer:?}");
        }
    }
    let refused = site.client().offering(&["acme"]).connect(instance.public).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    create_many(&mut site.client().grpc(instance.public), 3).await;
    let stranger = TlsClient::new(&Ca::new("another CA"));
    assert!(stranger.connect(instance.public).await.is_err(), "the client checks the server");
    instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_of_tls_is_at_least_the_configured_one() {
    let site = Site::new();
    let of = |versions: &[&'static SupportedProtocolVersion]| TlsClient::of_versions(&site.server, versions);
    let instance = site.start(&[]);
    for (client, version) in [
        (of(&[&TLS12]), ProtocolVersion::TLSv1_2),
        (of(&[&TLS13]), ProtocolVersion::TLSv1_3),
        (of(&[&TLS12, &TLS13]), ProtocolVersion::TLSv1_3),
    ] {
        let stream = client.connect(instance.public).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version));
        create_many(&mut client.grpc(instance.public), 1).await;
    }
    let instance = site.start(&[("CMGATE__TLS__MIN_VERSION", "1.3")]);
    let refused = of(&[&TLS12]).connect(instance.public).await.unwrap_err();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    assert_eq!(of(&[&TLS13]).get(instance.public, PAGE).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_gets_an_answer_that_names_tls() {
    let site = Site::new();
    let instance = site.start(&[]);
    let mut socket = TcpStream::connect(instance.public).await.unwrap();
    // The rest of the request is never read, yet the answer arrives.
    let request = format!("POST {REQUESTS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.write_all(&vec![b'x'; 900_000]).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nthis port requires TLS; use an https:// URL\n"), "{answer}");
    let length = answer.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len().to_string(), length);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_may_have_tls_too() {
    let site = Site::new();
    let path = |name| site.path(name).display().to_string();
    let instance = site.start(&[
        ("CMGATE__ADMIN_TLS__CERTIFICATE", &path("server.pem")),
        ("CMGATE__ADMIN_TLS__KEY", &path("server.key")),
    ]);
    let client = site.client();
    let answer = client.get(instance.private.address(), "/metrics").await.unwrap();
    assert_eq!(answer.status, 200);
    for port in ["public", "admin"] {
        let left = format!("cmgate_tls_seconds_left{{port=\"{port}\",kind=\"server\",name=");
        assert!(answer.body.contains(&left), "{}", answer.body);
    }
}
