//! Calls over REST by a minimal HTTP/1.1 client, so that the server dominates the measurement.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::grpc::TEMPLATE;

/// A connection that is kept open.
pub(crate) struct RestClient {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl RestClient {
    /// Connects, to POST requests as the first example of the MIM CM documentation does.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let body = format!(
            r#"{{"datacollection":"[]","type":"Enroll","profiletemplateuuid":"{TEMPLATE}","comment":"measured"}}"#
        );
        let request = format!(
            "POST /CertificateManagement/api/v1.0/requests HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, request: request.into_bytes(), buffer: Vec::new() }
    }

    /// Creates a request.
    pub(crate) async fn create(&mut self) {
        self.stream.write_all(&self.request).await.unwrap();
        self.buffer.clear();
        while !is_whole(&self.buffer) {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert_ne!(read, 0, "the connection was closed");
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 201 "), "{}", String::from_utf8_lossy(&self.buffer));
    }
}

/// Whether a response is complete; its body is a JSON string.
fn is_whole(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    head.is_some_and(|head| answer.len() > head + 5 && answer.ends_with(b"\""))
}

/// Reads the list of all requests as a stream.
pub(crate) struct RestList {
    stream: TcpStream,
    /// The bytes read last, preceded by the end of the bytes before.
    buffer: Vec<u8>,
    requests: u64,
}

/// The first bytes of each request in a list.
const BEGINNING: &[u8] = b"{\"Uuid\":";

/// Bytes that are read before they are searched.
const LIST_BUFFER: usize = 1 << 20;

impl RestList {
    /// Requests the list.
    pub(crate) async fn ask(address: SocketAddr) -> Self {
        let request = format!(
            "GET /CertificateManagement/api/v1.0/requests HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Self { stream, buffer: Vec::with_capacity(LIST_BUFFER), requests: 0 }
    }

    /// Reads the next bytes; false at the end of the list.
    pub(crate) async fn read(&mut self) -> bool {
        // Keeps the end of the buffer, since a beginning may span two reads.
        let begun = self.buffer.len().saturating_sub(BEGINNING.len() - 1);
        self.buffer.drain(..begun);
        let mut read = 0;
        while self.buffer.len() < LIST_BUFFER {
            match self.stream.read_buf(&mut self.buffer).await.unwrap() {
                0 => break,
                bytes => read += bytes,
            }
        }
        let found = self.buffer.windows(BEGINNING.len()).filter(|window| *window == BEGINNING).count();
        self.requests += u64::try_from(found).unwrap();
        read > 0
    }

    /// Number of requests read so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}
