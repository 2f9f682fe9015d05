//! The socket of a connection: TCP, or a unix socket of this machine. Listening, and closing without losing what was sent.

mod linger;
mod listener;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

pub use linger::{LentSocket, lend, linger};
pub use listener::Listener;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixSocket),
}

/// A unix socket with bytes that were read to detect the version of HTTP, and are read again.
#[derive(Debug)]
pub struct UnixSocket {
    stream: UnixStream,
    unread: Bytes,
}

impl UnixSocket {
    /// A connected socket.
    #[must_use]
    pub const fn new(stream: UnixStream) -> Self {
        Self { stream, unread: Bytes::new() }
    }

    /// Gives bytes back that were read.
    pub fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }
}

impl Socket {
    /// Sends small answers without delay.
    pub fn send_at_once(&self) {
        if let Self::Tcp(stream) = self
            && let Err(error) = stream.set_nodelay(true)
        {
            tracing::debug!(%error, "answers may be delayed");
        }
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(socket) => socket.stream.readable().await,
        }
    }

    /// Reads what has arrived.
    ///
    /// # Errors
    /// Nothing has arrived (`WouldBlock`), or the connection is broken.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(socket) => socket.stream.try_read(buffer),
        }
    }

    /// Closes the socket without sending what the operating system still buffers. A unix socket buffers nothing on the way.
    pub fn discard(self) {
        if let Self::Tcp(stream) = self {
            let _ = stream.set_zero_linger();
        }
    }
}

impl AsyncRead for UnixSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if socket.unread.is_empty() {
            return Pin::new(&mut socket.stream).poll_read(context, buffer);
        }
        let length = socket.unread.len().min(buffer.remaining());
        buffer.put_slice(&socket.unread.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UnixSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Implements reading and writing by the variant.
macro_rules! forward {
    ($self:ident, $socket:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp(stream) => {
                let $socket = Pin::new(stream);
                $call
            }
            Self::Unix(stream) => {
                let $socket = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, socket => socket.poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, socket => socket.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, socket => socket.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, socket => socket.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, socket => socket.poll_shutdown(context))
    }
}
