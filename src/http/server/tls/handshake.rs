//! TLS handshakes: bounded in time and in number. At the limit, a new handshake replaces the oldest one, so that slow clients keep
//! nobody out: a handshake that makes progress takes milliseconds.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use crate::runtime::socket::{LentSocket, Socket, lend};
use crate::runtime::telemetry::names;
use crate::runtime::tls::{ServerEndPoint, Tls};

/// The answer to a plain HTTP/1 request.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 44\r\n\
    Connection: close\r\n\r\nthis port requires TLS; use an https:// URL\n";

/// The results of handshakes in the metrics.
const RESULTS: [&str; 7] = ["full", "resumed", "plaintext", "replaced", "certificate_refused", "failed", "timed_out"];

/// Stands for the CA of a handshake without a client certificate.
const NO_CA: &str = "none";

/// The handshakes of a port.
#[derive(Debug)]
pub(in super::super) struct Handshakes {
    max: usize,
    timeout: Duration,
    next: AtomicU64,
    /// The oldest first; their numbers rise.
    open: Mutex<VecDeque<(u64, CancellationToken)>>,
}

/// The outcome of a handshake.
pub(in super::super) enum Opened {
    Established(Box<Established>),
    /// The client was sent an alert or an error that it may not have read yet.
    Refused(Socket),
    Gone,
}

/// An open TLS connection.
pub(in super::super) struct Established {
    stream: TlsStream<LentSocket>,
    returned: oneshot::Receiver<Socket>,
    client: Client,
}

/// A handshake that counts towards the limit until it is dropped.
struct Slot<'h> {
    handshakes: &'h Handshakes,
    number: u64,
    replaced: CancellationToken,
}

impl Handshakes {
    /// At most `max` handshakes at a time, each within `timeout`, which includes the wait for the client's first byte.
    pub(in super::super) fn new(max: usize, timeout: Duration) -> Self {
        Self { max, timeout, next: AtomicU64::new(0), open: Mutex::default() }
    }

    /// Begins the counters of a port, so that monitoring sees the first handshake of a kind as a change.
    pub(in super::super) fn begin_counting(tls: &Tls) {
        for result in RESULTS {
            let port = tls.settings().port.label();
            metrics::counter!(names::TLS_HANDSHAKES, "port" => port, "result" => result, "ca" => NO_CA).increment(0);
        }
    }

    /// Opens a connection.
    pub(in super::super) async fn open(&self, tls: &Tls, mut stream: TcpStream) -> Opened {
        let deadline = Instant::now() + self.timeout;
        let mut first = [0];
        // A client that sends nothing occupies no slot.
        let Ok(Ok(1)) = timeout_at(deadline, stream.peek(&mut first)).await else { return Opened::Gone };
        if first.iter().all(u8::is_ascii_uppercase) {
            // The first byte of a TLS record is a small number; this is the method of an HTTP request.
            count(tls, "plaintext", None);
            let sent = timeout_at(deadline, stream.write_all(NOT_TLS)).await;
            return if matches!(sent, Ok(Ok(()))) { Opened::Refused(Socket::Tcp(stream)) } else { Opened::Gone };
        }
        let slot = self.enter();
        let (socket, returned) = lend(Socket::Tcp(stream));
        let generation = tls.current();
        let accepted = TlsAcceptor::from(Arc::clone(&generation.config)).accept(socket);
        let accepted = tokio::select! {
            biased;
            accepted = timeout_at(deadline, accepted) => accepted,
            () = slot.replaced.cancelled() => {
                count(tls, "replaced", None);
                return Opened::Gone;
            }
        };
        drop(slot);
        match accepted {
            Ok(Ok(stream)) => {
                let end_point = generation.end_point.clone();
                Opened::Established(Box::new(Established::new(tls, end_point, stream, returned)))
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                count(tls, if is_about_certificate(&error) { "certificate_refused" } else { "failed" }, None);
                // Closing at once could reset the connection before the client has read the alert.
                returned.await.map_or(Opened::Gone, Opened::Refused)
            }
            Err(_elapsed) => {
                count(tls, "timed_out", None);
                Opened::Gone
            }
        }
    }

    fn enter(&self) -> Slot<'_> {
        let replaced = CancellationToken::new();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if open.len() >= self.max
            && let Some((_, oldest)) = open.pop_front()
        {
            oldest.cancel();
        }
        open.push_back((number, replaced.clone()));
        Slot { handshakes: self, number, replaced }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut open = self.handshakes.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(index) = open.binary_search_by_key(&self.number, |(number, _)| *number) {
            open.remove(index);
        }
    }
}

impl Established {
    fn new(
        tls: &Tls,
        end_point: Option<ServerEndPoint>,
        stream: TlsStream<LentSocket>,
        returned: oneshot::Receiver<Socket>,
    ) -> Self {
        let (_, connection) = stream.get_ref();
        let client = Client::of(tls, end_point, connection.peer_certificates());
        let result = match connection.handshake_kind() {
            Some(HandshakeKind::Resumed) => "resumed",
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) | None => "full",
        };
        count(tls, result, client.authority());
        Self { stream, returned, client }
    }

    /// Whether the client chose HTTP/2. Without ALPN it speaks HTTP/1.1.
    pub(in super::super) fn is_http2(&self) -> bool {
        let (_, connection) = self.stream.get_ref();
        connection.alpn_protocol() == Some(b"h2")
    }

    pub(in super::super) fn into_parts(self) -> (TlsStream<LentSocket>, oneshot::Receiver<Socket>, Client) {
        (self.stream, self.returned, self.client)
    }
}

fn is_about_certificate(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

fn count(tls: &Tls, result: &'static str, ca: Option<String>) {
    let port = tls.settings().port.label();
    let ca = ca.unwrap_or_else(|| NO_CA.to_owned());
    metrics::counter!(names::TLS_HANDSHAKES, "port" => port, "result" => result, "ca" => ca).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_handshake_replaces_the_oldest_at_the_limit() {
        let handshakes = Handshakes::new(2, Duration::MAX);
        let (first, second) = (handshakes.enter(), handshakes.enter());
        assert!(!first.replaced.is_cancelled());
        let third = handshakes.enter();
        assert!(first.replaced.is_cancelled() && !second.replaced.is_cancelled());
        // The end of a replaced one frees no room, the end of another does.
        drop(first);
        drop(second);
        let fourth = handshakes.enter();
        assert!(!third.replaced.is_cancelled() && !fourth.replaced.is_cancelled());
        assert_eq!(handshakes.open.lock().unwrap().len(), 2);
        drop((third, fourth));
        assert!(handshakes.open.lock().unwrap().is_empty());
    }
}
