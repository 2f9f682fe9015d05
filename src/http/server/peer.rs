//! The address of the client of a connection, for the log.

use std::net::SocketAddr;

use http::Extensions;

/// An extension of requests that came over TCP: the address of the client, or of a proxy before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

impl PeerAddress {
    /// The address from which a request came; `None` for the unix socket.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<SocketAddr> {
        extensions.get().map(|Self(address)| *address)
    }
}
