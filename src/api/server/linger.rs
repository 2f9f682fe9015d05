//! The end of a connection whose client may still be sending. To close the socket then would reset the connection, and a
//! reset takes from the client the answers that it has not read (RFC 9112, 9.6).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Longest time for which a connection that has ended is read on.
const LINGER_TIME: Duration = Duration::from_secs(10);
/// How long a client may send nothing meanwhile; what was under way has arrived by then.
const QUIET_TIME: Duration = Duration::from_secs(2);
/// Most bytes that are read on, as many as the longest body that can be allowed.
const LINGER_BYTES: usize = 64 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;

/// A socket that comes back from hyper once hyper is done with the connection.
#[derive(Debug)]
pub(super) struct LentSocket(Option<(TcpStream, oneshot::Sender<TcpStream>)>);

/// Lends a socket.
pub(super) fn lend(socket: TcpStream) -> (LentSocket, oneshot::Receiver<TcpStream>) {
    let (sender, receiver) = oneshot::channel();
    (LentSocket(Some((socket, sender))), receiver)
}

/// Ends a connection so that its client can read the last answer: sends nothing more, reads on and drops what comes until
/// the client has ended its side too, within bounds.
pub(super) async fn linger(mut socket: TcpStream) {
    // It has been shut down before unless the connection broke.
    if socket.shutdown().await.is_err() {
        return;
    }
    let end = Instant::now() + LINGER_TIME;
    let mut left = LINGER_BYTES;
    while left > 0 {
        let quiet = (Instant::now() + QUIET_TIME).min(end);
        let Ok(Ok(())) = tokio::time::timeout_at(quiet, socket.readable()).await else { return };
        match discard(&socket) {
            Ok(0) => return,
            Ok(bytes) => left = left.saturating_sub(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Not within the future above, which would be so much larger for every connection.
fn discard(socket: &TcpStream) -> io::Result<usize> {
    socket.try_read(&mut [0; READ_BYTES])
}

impl LentSocket {
    fn socket(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        match &mut self.get_mut().0 {
            Some((socket, _)) => Ok(Pin::new(socket)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for LentSocket {
    fn drop(&mut self) {
        if let Some((socket, back)) = self.0.take() {
            // Nobody waits for it if the connection was cut off.
            let _ = back.send(socket);
        }
    }
}

impl AsyncRead for LentSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for LentSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(context)
    }
}
