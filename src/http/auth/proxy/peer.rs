//! Which connections are those of the trusted proxy.

use std::convert::Infallible;

use http::Extensions;

use crate::http::auth::certificate::{CaFilter, Contents, KeptByCertificate};
use crate::http::server::LocalSocket;
use crate::runtime::tls::PeerCertificate;

/// The client certificate of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyCertificate {
    /// The CAs that may have issued it.
    pub ca: CaFilter,
    /// What identifies it.
    pub name: ProxyName,
}

/// What identifies the certificate of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyName {
    /// The SPIFFE ID, the only URI of the certificate.
    Spiffe(String),
    /// SHA-256 of the public key (`SubjectPublicKeyInfo`).
    KeyHash([u8; 32]),
    /// The whole subject, in the form of RFC 4514.
    Dn(String),
}

/// Recognizes the connections of the proxy.
#[derive(Debug)]
pub(super) struct ProxyPeer {
    certificate: Option<ProxyCertificate>,
    kept: KeptByCertificate<bool>,
}

impl ProxyPeer {
    pub(super) fn new(certificate: Option<ProxyCertificate>) -> Self {
        Self { certificate, kept: KeptByCertificate::default() }
    }

    /// Whether a request with these extensions came over a connection of the proxy.
    pub(super) fn is_proxy(&self, extensions: &Extensions) -> bool {
        if extensions.get::<LocalSocket>().is_some() {
            return true;
        }
        let (Some(certificate), Some(peer)) = (&self.certificate, extensions.get::<PeerCertificate>()) else {
            return false;
        };
        let Ok(is_proxy) = self.kept.get_or_try(peer, || Ok::<_, Infallible>(certificate.is(peer)));
        is_proxy
    }
}

impl ProxyCertificate {
    /// Whether a verified certificate is that of the proxy. A malformed one is not.
    fn is(&self, peer: &PeerCertificate) -> bool {
        let Ok(contents) = Contents::read(peer.der()) else { return false };
        let is_named = match &self.name {
            ProxyName::Spiffe(id) => matches!(contents.uris.as_slice(), [only] if only == id),
            ProxyName::KeyHash(hash) => contents.key_hash == *hash,
            ProxyName::Dn(subject) => contents.subject == *subject,
        };
        is_named && self.ca.contains(peer.authority())
    }
}
