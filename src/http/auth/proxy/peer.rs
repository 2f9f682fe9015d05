//! Which connections are those of the trusted proxy.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::Extensions;

use crate::http::auth::certificate::{CaFilter, Contents};
use crate::http::server::LocalSocket;
use crate::runtime::tls::PeerCertificate;

/// Limit on the kept results.
const MAX_KEPT: usize = 4_096;

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
    kept: Mutex<HashMap<Kept, bool>>,
}

/// What the result for a certificate depends on; see [`Certificates`](crate::http::auth::certificate::Certificates).
type Kept = ([u8; 32], [u8; 32], u64);

impl ProxyPeer {
    pub(super) fn new(certificate: Option<ProxyCertificate>) -> Self {
        Self { certificate, kept: Mutex::default() }
    }

    /// Whether a request with these extensions came over a connection of the proxy.
    pub(super) fn is_proxy(&self, extensions: &Extensions) -> bool {
        if extensions.get::<LocalSocket>().is_some() {
            return true;
        }
        let (Some(certificate), Some(peer)) = (&self.certificate, extensions.get::<PeerCertificate>()) else {
            return false;
        };
        let key = (*peer.thumbprint(), peer.authority().key_hash, peer.generation());
        if let Some(is_proxy) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *is_proxy;
        }
        let is_proxy = certificate.is(peer);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(key, is_proxy);
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
