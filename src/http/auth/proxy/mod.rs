//! Callers whom a trusted proxy has authenticated. The proxy names them in headers, which are believed only on the proxy's own
//! connections: those of the unix socket, and those with its client certificate. Elsewhere the headers are dropped.

mod headers;
mod peer;
mod rejection;
#[cfg(test)]
mod tests;

use http::request::Parts;

use self::peer::ProxyPeer;
use crate::domain::Caller;
use crate::runtime::telemetry::names;

pub use headers::IdentityHeaders;
pub use peer::{ProxyCertificate, ProxyName};
pub use rejection::IdentityRejection;

/// Limit on the identity headers of a call, in bytes: room for 1,024 groups.
pub const MAX_IDENTITY_BYTES: usize = 64 << 10;

/// Name of the entry of the configuration, a part of the identity of callers without a UUID.
pub(super) const ENTRY: &str = "proxy";

/// The trusted proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// Its client certificate; `None` if it connects through the unix socket only.
    pub certificate: Option<ProxyCertificate>,
    /// The headers by which it names callers.
    pub headers: IdentityHeaders,
}

/// Authenticates callers by the word of the trusted proxy.
#[derive(Debug)]
pub(super) struct TrustedProxy {
    peer: ProxyPeer,
    headers: IdentityHeaders,
}

/// What a call says about its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identified {
    /// The proxy names the caller.
    Caller(Caller),
    /// The call comes through the proxy, which names nobody. The certificate of the connection is the proxy's, not the caller's.
    Nobody,
    /// The call does not come through the proxy.
    Elsewhere,
}

impl TrustedProxy {
    pub(super) fn new(settings: ProxySettings) -> Self {
        Self { peer: ProxyPeer::new(settings.certificate), headers: settings.headers }
    }

    /// The caller that the proxy names. On other connections, the identity headers are removed from the call and counted.
    ///
    /// # Errors
    /// The call comes through the proxy, but its headers do not identify one caller.
    pub(super) fn identify(&self, parts: &mut Parts) -> Result<Identified, IdentityRejection> {
        if self.peer.is_proxy(&parts.extensions) {
            let caller = self.headers.caller(&parts.headers)?;
            return Ok(caller.map_or(Identified::Nobody, Identified::Caller));
        }
        if self.headers.remove_from(&mut parts.headers) {
            metrics::counter!(names::IDENTITY_HEADERS_DROPPED).increment(1);
        }
        Ok(Identified::Elsewhere)
    }
}
