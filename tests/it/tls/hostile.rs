//! Clients that are slow, silent or early to be answered.

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{H2, HTTP1};
use super::{PAGE, Site, sample};
use crate::support::client::{REQUESTS, create_many};

/// More handshakes than the service holds at a time.
const SLOW: usize = 600;
const NOBODY: (&str, &str) = ("X-Dev-User", "nobody");

#[tokio::test(flavor = "multi_thread")]
async fn slow_handshakes_hold_nobody_up() {
    let site = Site::new();
    let instance = site.start(&[]);
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut socket = TcpStream::connect(instance.public).await.unwrap();
        // Nothing, or the begin of a record with a ClientHello of 512 bytes.
        if number % 8 != 0 {
            socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.unwrap();
        }
        slow.push(socket);
    }
    create_many(&mut site.client().grpc(instance.public), 3).await;
    assert_eq!(site.client().get(instance.public, PAGE).await.unwrap().status, 200);
    // The oldest ones made room for the others.
    let replaced =
        sample(&instance, "cmgate_tls_handshakes_total{port=\"public\",result=\"replaced\",ca=\"none\"}").await;
    let begun = SLOW - SLOW.div_ceil(8);
    assert!(replaced >= (begun - 512) as f64, "{replaced}");
    let mut ended = vec![0; 1];
    assert_eq!(slow[1].read(&mut ended).await.unwrap_or(0), 0, "the oldest was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_reaches_a_client_that_sends_everything_first() {
    let site = Site::new();
    let instance = site.start(&[]);
    let limit = 1 << 20;
    for protocol in [HTTP1, H2] {
        for (length, closes) in [(100, false), (900_000, false), (limit, false), (4 * limit, true)] {
            let mut connection = site.client().offering(&[protocol]).open(instance.public).await.unwrap();
            for _ in 0..2 {
                let body = Bytes::from(vec![b'x'; length]);
                let answer = connection.send(Method::POST, REQUESTS, &[NOBODY], body).await.unwrap();
                let closes = closes && protocol == HTTP1;
                assert_eq!((answer.status, answer.closes), (401, closes), "{protocol} {length}: {answer:?}");
                if closes {
                    break;
                }
            }
        }
    }
}

/// A blocking client: it reads only after it has sent the whole body, of which the service reads nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_closing_connection_lets_the_client_read_the_answer() {
    let site = Site::new();
    let instance = site.start(&[]);
    for (framing, length) in [("Content-Length: 25165824", 24 << 20), ("Transfer-Encoding: chunked", 900 * 1_024)] {
        let mut stream = site.client().connect(instance.public).await.unwrap();
        let head = format!("POST {REQUESTS} HTTP/1.1\r\nHost: localhost\r\nX-Dev-User: nobody\r\n{framing}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let is_chunked = framing.ends_with("chunked");
        for _ in 0..length / 1_024 {
            let data = vec![b'x'; 1_024];
            let piece = if is_chunked { [b"400\r\n", &data[..], b"\r\n"].concat() } else { data };
            stream.write_all(&piece).await.unwrap();
        }
        if is_chunked {
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
        stream.flush().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{framing}: {answer}");
        assert!(answer.contains("X-Dev-User must be a UUID"), "the whole answer arrives, then close_notify: {answer}");
    }
}
