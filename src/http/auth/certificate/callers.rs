//! Authenticates callers by client certificate. The result depends on the certificate alone, so it is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::rejection::CertificateRejection;
use super::rule::Rules;
use crate::domain::Caller;
use crate::runtime::tls::PeerCertificate;

/// Limit on the kept callers.
const MAX_KEPT: usize = 4_096;

/// The callers of the rules.
#[derive(Debug)]
pub struct Certificates {
    rules: Rules,
    kept: Mutex<HashMap<Kept, Arc<Caller>>>,
}

/// What the caller of a certificate depends on: the certificate, its CA, and the configuration that says which files contain that
/// CA.
type Kept = ([u8; 32], [u8; 32], u64);

impl Certificates {
    /// Callers by these rules.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, kept: Mutex::default() }
    }

    /// Whether there are no rules, so that no certificate identifies a caller.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.0.is_empty()
    }

    /// The caller that a certificate identifies.
    ///
    /// # Errors
    /// The certificate identifies no caller, or more than one.
    pub fn caller(&self, peer: &PeerCertificate) -> Result<Arc<Caller>, CertificateRejection> {
        let key = (*peer.thumbprint(), peer.authority().key_hash, peer.generation());
        if let Some(caller) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(caller));
        }
        let caller = Arc::new(self.rules.caller(peer)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&caller));
        Ok(caller)
    }
}
