//! A port for blocking HTTP/1 clients, and a client that sends everything before it reads.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::cli::Settings;
use crate::http::server::{Security, Server, ServerSettings, serve};
use crate::http::tests::support::{authentication, service};
use crate::http::{ApiSettings, assemble};

/// The public port without a database, in its own runtime because clients block.
pub(super) struct Port {
    runtime: Runtime,
    server: Server,
}

impl Port {
    pub(super) fn open() -> Self {
        Self::with(Settings::default().api)
    }

    pub(super) fn with(settings: ApiSettings) -> Self {
        Self::started(settings, Settings::default().server, CancellationToken::new())
    }

    pub(super) fn started(settings: ApiSettings, limits: ServerSettings, stop: CancellationToken) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            let calls = assemble(service(), authentication(), settings).unwrap().calls;
            serve("127.0.0.1:0".parse().unwrap(), calls, limits, Security::Plain, stop).await.unwrap()
        });
        Self { runtime, server }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Waits until every connection has ended.
    pub(super) fn ended(self) {
        self.runtime.block_on(self.server.ended());
    }
}

/// A client that sends everything before it reads.
pub(super) struct Client(TcpStream);

/// An answer with its head and its body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
}

impl Answer {
    pub(super) fn closes(&self) -> bool {
        self.head.to_ascii_lowercase().contains("connection: close")
    }
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        // Ends a test that would hang.
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        stream.set_write_timeout(Some(Duration::from_mins(2))).unwrap();
        Self(stream)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads one whole response.
    pub(super) fn answer(&mut self) -> io::Result<Answer> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if self.0.read(&mut byte)? == 0 {
                return Err(io::Error::other(format!("ended after {:?}", String::from_utf8_lossy(&head))));
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, head })
    }

    /// Whether the server closes the connection without an error and without sending more.
    pub(super) fn is_ended(&mut self) -> io::Result<bool> {
        Ok(self.0.read(&mut [0])? == 0)
    }

    /// Makes another call on the same connection.
    pub(super) fn is_kept(&mut self) -> bool {
        self.send(b"GET /again HTTP/1.1\r\nHost: cmgate\r\n\r\n").unwrap();
        self.answer().unwrap().status == 404
    }
}

/// The bytes of a call with its body.
pub(super) fn announced(start: &str, headers: &str, length: usize) -> Vec<u8> {
    let mut call =
        format!("{start} HTTP/1.1\r\nHost: cmgate\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    call.resize(call.len() + length, b'x');
    call
}

pub(super) fn chunked(start: &str, headers: &str, length: usize) -> Vec<u8> {
    let mut call =
        format!("{start} HTTP/1.1\r\nHost: cmgate\r\n{headers}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..length.div_ceil(4_096) {
        call.extend_from_slice(b"1000\r\n");
        call.resize(call.len() + 4_096, b'x');
        call.extend_from_slice(b"\r\n");
    }
    call.extend_from_slice(b"0\r\n\r\n");
    call
}
