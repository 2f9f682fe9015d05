//! Calls over REST, by a client of HTTP/1.1 that does no more than it must: what is measured is the server.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::grpc::TEMPLATE;

/// A connection that is kept open.
pub(crate) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
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

/// Whether an answer has come with its whole body, which is a JSON string.
fn is_whole(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    head.is_some_and(|head| answer.len() > head + 5 && answer.ends_with(b"\""))
}
