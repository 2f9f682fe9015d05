//! Early responses over HTTP/2, frame by frame: after the response, the rest of a body is read, or stopped without an error.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::cli::Settings;
use crate::http::server::connection::PREFACE;
use crate::http::server::{Security, ServerSettings, serve};
use crate::http::tests::support::api;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Ends a test that would hang.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client that sends and receives raw frames.
struct Client {
    stream: TcpStream,
    /// Send window of the connection.
    window: usize,
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Client {
    async fn connect(settings: ServerSettings) -> Self {
        let stop = CancellationToken::new();
        let server = serve("127.0.0.1:0".parse().unwrap(), api().calls, settings, Security::Plain, stop).await.unwrap();
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        let mut client = Self { stream, window: 65_535 };
        client.send(SETTINGS, 0, 0, &[]).await;
        client
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    async fn next(&mut self) -> Frame {
        let read = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.stream.read_exact(&mut payload).await.unwrap();
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            Frame { kind: head[3], flags: head[4], stream, payload }
        };
        let frame = tokio::time::timeout(PATIENCE, read).await.unwrap();
        if (frame.kind, frame.stream) == (WINDOW_UPDATE, 0) {
            self.window += u32::from_be_bytes(frame.payload[..4].try_into().unwrap()) as usize;
        }
        if frame.kind == SETTINGS && frame.flags == 0 {
            self.send(SETTINGS, 1, 0, &[]).await;
        }
        frame
    }

    /// Reads until a frame matches; panics on a reset or the end of the connection.
    async fn expect(&mut self, is_meant: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.next().await;
            if is_meant(&frame) {
                return frame;
            }
            assert!(![RESET, GO_AWAY].contains(&frame.kind), "{frame:?}");
        }
    }

    /// Begins a `POST /` with a body, and reads the whole response before sending any of the body.
    async fn call(&mut self, stream: u32, content_length: Option<&str>) {
        // HPACK: the method and the scheme from the static table, path and authority as literals.
        let mut head = b"\x83\x86\x84\x41\x06cmgate".to_vec();
        if let Some(length) = content_length {
            head.extend([0x0F, 0x0D, u8::try_from(length.len()).unwrap()]);
            head.extend(length.as_bytes());
        }
        self.send(HEADERS, END_HEADERS, stream, &head).await;
        self.expect(|frame| {
            frame.stream == stream && [DATA, HEADERS].contains(&frame.kind) && frame.flags & END_STREAM != 0
        })
        .await;
    }
}

#[tokio::test]
async fn the_rest_of_a_body_is_read_after_the_answer() {
    let mut client =
        Client::connect(ServerSettings { unread_timeout: Duration::from_mins(10), ..Settings::default().server }).await;
    // Together far more than the connection window, which unread bodies must not use up.
    for stream in (1..40).step_by(2) {
        client.call(stream, None).await;
        for part in 0..15 {
            while client.window < 16_384 {
                let frame = client.next().await;
                assert!(![RESET, GO_AWAY].contains(&frame.kind), "{frame:?}");
            }
            client.window -= 16_384;
            client.send(DATA, if part == 14 { END_STREAM } else { 0 }, stream, &[b'x'; 16_384]).await;
        }
    }
    client.send(PING, 0, 0, &[0; 8]).await;
    client.expect(|frame| frame.kind == PING && frame.flags == 1).await;
}

#[tokio::test]
async fn a_body_that_is_too_long_or_too_slow_is_stopped_without_an_error() {
    let mut client =
        Client::connect(ServerSettings { unread_timeout: Duration::from_mins(10), ..Settings::default().server }).await;
    client.call(1, Some("3000000")).await;
    let reset = client.expect(|frame| frame.kind == RESET).await;
    assert_eq!((reset.stream, reset.payload), (1, vec![0; 4]));

    let mut client =
        Client::connect(ServerSettings { unread_timeout: Duration::ZERO, ..Settings::default().server }).await;
    client.call(1, None).await;
    let reset = client.expect(|frame| frame.kind == RESET).await;
    assert_eq!((reset.stream, reset.payload), (1, vec![0; 4]));
    // The connection stays usable.
    client.call(3, None).await;
}

#[tokio::test]
async fn an_old_connection_answers_the_calls_that_were_sent_before_it_ended() {
    let settings = ServerSettings { connection_age: Some(Duration::from_secs(2)), ..Settings::default().server };
    let mut client = Client::connect(settings).await;
    let last_stream = |frame: &Frame| {
        assert_eq!(frame.payload[4..8], [0; 4], "no error");
        u32::from_be_bytes(frame.payload[..4].try_into().unwrap())
    };
    let mut next_of = async |kind| {
        loop {
            let frame = client.next().await;
            if frame.kind == kind && frame.flags == 0 {
                return frame;
            }
        }
    };
    let first = next_of(GO_AWAY).await;
    assert_eq!(last_stream(&first), u32::MAX >> 1, "the server does not know yet what the client has sent");
    let ping = next_of(PING).await;
    client.call(1, Some("0")).await;
    client.send(PING, 1, 0, &ping.payload).await;
    let last = loop {
        let frame = client.next().await;
        if frame.kind == GO_AWAY {
            break frame;
        }
    };
    assert_eq!(last_stream(&last), 1, "the call that arrived meanwhile was answered");
}
