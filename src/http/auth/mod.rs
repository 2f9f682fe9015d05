//! Authentication: who the [`Caller`] is. `domain` decides what the caller may do.

mod development;
pub mod jwt;
pub mod negotiate;

use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Version};
use thiserror::Error;

use crate::domain::{Caller, ErrorKind};

pub use development::{DEVELOPMENT_HEADER, Development};

/// How callers are authenticated.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Without proof: the caller is a default user, or the user named by a header.
    Development(Development),
}

/// Why authentication failed. `Display` is the message for the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// The header that identifies the caller is invalid.
    #[error("header {header} {problem}")]
    BadHeader {
        /// The header.
        header: &'static str,
        /// What is wrong with it; the rest of a sentence that starts with the header.
        problem: &'static str,
    },
}

impl Authentication {
    /// Authenticates the sender of a request.
    ///
    /// # Errors
    /// The identity of the caller is missing or invalid.
    #[expect(clippy::unused_async, reason = "the keys of an issuer may have to be fetched")]
    pub async fn authenticate(&self, parts: &Parts) -> Result<Arc<Caller>, AuthError> {
        match self {
            Self::Development(development) => development.authenticate(&parts.headers),
        }
    }

    /// Adds the challenges (RFC 9110, 11.6.1) that the response to an unauthenticated call must carry.
    pub fn challenge(&self, _version: Version, _headers: &mut HeaderMap) {
        match self {
            // Nothing that a caller could prove.
            Self::Development(_) => {}
        }
    }

    /// Whether this method is safe at an address. The development mode must not be reachable from other machines.
    #[must_use]
    pub const fn may_listen_on(&self, address: &SocketAddr) -> bool {
        match self {
            Self::Development(_) => is_loopback(address),
        }
    }
}

impl AuthError {
    /// The kind of this error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::BadHeader { .. } => ErrorKind::Unauthenticated,
        }
    }

    /// Stable name of the reason, for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BadHeader { .. } => "BAD_IDENTITY_HEADER",
        }
    }
}

/// Whether an address is reachable from this machine only, as `::ffff:127.0.0.1` is.
const fn is_loopback(address: &SocketAddr) -> bool {
    match address {
        SocketAddr::V4(v4) => v4.ip().is_loopback(),
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => v4.is_loopback(),
            None => v6.ip().is_loopback(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Authentication, Development};
    use crate::domain::{Caller, UserId};
    use uuid::Uuid;

    #[test]
    fn development_serves_only_this_machine() {
        let user = UserId::new(Uuid::from_u128(1));
        let development = Authentication::Development(Development::new(Caller::unproven(user, "dev")));
        for (address, may) in [
            ("127.0.0.1:0", true),
            ("127.9.9.9:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("192.168.0.1:80", false),
            ("[::ffff:10.0.0.1]:80", false),
        ] {
            assert_eq!(development.may_listen_on(&address.parse().unwrap()), may, "{address}");
        }
    }
}
