//! Results that depend on a client certificate alone. They are kept, since connections repeat their certificate with each call.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::runtime::tls::PeerCertificate;

/// Limit on the results.
const MAX_KEPT: usize = 4_096;

/// Results by certificate.
#[derive(Debug)]
pub(in crate::http::auth) struct KeptByCertificate<T>(Mutex<HashMap<Key, T>>);

/// What a result depends on: the certificate, its CA, and the configuration that says which files contain that CA.
type Key = ([u8; 32], [u8; 32], u64);

impl<T> Default for KeptByCertificate<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> KeptByCertificate<T> {
    /// The result for a certificate, which is computed if it is not kept. Errors are not kept.
    pub(in crate::http::auth) fn get_or_try<E>(
        &self,
        peer: &PeerCertificate,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let key = (*peer.thumbprint(), peer.authority().key_hash, peer.generation());
        if let Some(result) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(result.clone());
        }
        let result = compute()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(key, result.clone());
        Ok(result)
    }
}
