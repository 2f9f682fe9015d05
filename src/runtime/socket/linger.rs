//! Closes a connection whose client may still be sending. Closing the socket at once would reset the connection, and the client
//! would lose responses that it has not read yet (RFC 9112, 9.6).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Socket;

/// Limit on the time of lingering.
const LINGER_TIME: Duration = Duration::from_secs(10);
/// Ends lingering when the client has sent nothing for this long; bytes in flight have arrived by then.
const QUIET_TIME: Duration = Duration::from_secs(2);
/// Limit on the discarded bytes: the maximum of `limits.message_bytes`.
const LINGER_BYTES: usize = 64 << 20;
/// Bytes per read.
const READ_BYTES: usize = 16 << 10;

/// A socket that returns through a channel when hyper drops it.
#[derive(Debug)]
pub struct LentSocket(Option<(Socket, oneshot::Sender<Socket>)>);

/// Wraps a socket; the receiver gets it back on drop.
#[must_use]
pub fn lend(socket: Socket) -> (LentSocket, oneshot::Receiver<Socket>) {
    let (sender, receiver) = oneshot::channel();
    (LentSocket(Some((socket, sender))), receiver)
}

/// Closes a connection in stages so that its client can read the last response: shuts down the write side, then reads and
/// discards until the client closes its side or a limit is reached.
pub async fn linger(mut socket: Socket) {
    // hyper has done this already unless the connection broke.
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

/// A function of its own, because a buffer inside the future would enlarge the task of every connection.
fn discard(socket: &Socket) -> io::Result<usize> {
    socket.try_read(&mut [0; READ_BYTES])
}

impl LentSocket {
    fn socket(self: Pin<&mut Self>) -> io::Result<Pin<&mut Socket>> {
        match &mut self.get_mut().0 {
            Some((socket, _)) => Ok(Pin::new(socket)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for LentSocket {
    fn drop(&mut self) {
        if let Some((socket, back)) = self.0.take() {
            // Fails if the connection was cut off: the receiver is gone.
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
