//! The key set of an issuer (RFC 7517, 5), and the choice of a key: step 5 of the check.

use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::public_key::{PublicKey, Unusable};
use super::rejection::Rejection;
use crate::runtime::jwt::{Algorithm, KeyUse};

/// The public keys of an issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    entries: Vec<Entry>,
}

/// A key of a key set.
#[derive(Clone, Debug)]
struct Entry {
    id: Option<String>,
    key: Result<PublicKey, Unusable>,
}

/// Why a key set cannot be used at all. `Display` is for the log of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// It is too large.
    #[error("the key set is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It has too many keys.
    #[error("the key set has more than {limit} keys")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// It is not a key set.
    #[error("the key set is not a JSON object with an array \"keys\" (line {line}, column {column})")]
    Malformed {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error.
        column: usize,
    },
}

/// A key set before its keys are read.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Largest key set, in bytes.
    pub const MAX_BYTES: usize = 256 << 10;
    /// Maximum number of keys.
    pub const MAX_KEYS: usize = 64;

    /// Reads a key set. A bad key does not spoil the others: it is skipped, see [`skipped`](Self::skipped).
    ///
    /// # Errors
    /// [`KeySetError`] if no key can be read.
    pub fn parse(json: &[u8], key_use: KeyUse) -> Result<Self, KeySetError> {
        if json.len() > Self::MAX_BYTES {
            return Err(KeySetError::TooLarge { limit: Self::MAX_BYTES });
        }
        let document: Document = serde_json::from_slice(json)
            .map_err(|error| KeySetError::Malformed { line: error.line(), column: error.column() })?;
        if document.keys.len() > Self::MAX_KEYS {
            return Err(KeySetError::TooMany { limit: Self::MAX_KEYS });
        }
        Ok(Self { entries: document.keys.into_iter().map(|key| Entry::read(key, key_use)).collect() })
    }

    /// Number of keys that can verify tokens.
    #[must_use]
    pub fn usable(&self) -> usize {
        self.entries.iter().filter(|entry| entry.key.is_ok()).count()
    }

    /// The skipped keys: id, if it has one, and reason.
    pub fn skipped(&self) -> impl Iterator<Item = (Option<&str>, Unusable)> {
        self.entries.iter().filter_map(|entry| Some((entry.id.as_deref(), entry.key.as_ref().err().copied()?)))
    }

    /// Whether a key of the set can verify tokens of an algorithm.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.entries.iter().filter_map(|entry| entry.key.as_ref().ok()).any(|key| key.fits(algorithm))
    }

    /// Whether the set has a key with this id, usable or not. If not, a newer set may have it. Every set knows a token without a
    /// key id.
    #[must_use]
    pub fn knows(&self, key_id: Option<&str>) -> bool {
        key_id.is_none() || self.entries.iter().any(|entry| entry.id.as_deref() == key_id)
    }

    /// The only key that fits a token. Issuers do publish several keys with one id, such as one for encryption and one for
    /// signatures.
    pub(super) fn find(&self, key_id: Option<&str>, algorithm: Algorithm) -> Result<&PublicKey, Rejection> {
        let named = || self.entries.iter().filter(|entry| key_id.is_none() || entry.id.as_deref() == key_id);
        let mut fitting = named().filter_map(|entry| entry.key.as_ref().ok()).filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Rejection::AmbiguousKey),
            (None, _) => match named().next() {
                Some(entry) => {
                    Err(Rejection::UnfitKey(entry.key.as_ref().err().copied().unwrap_or(Unusable::Algorithm)))
                }
                None => Err(Rejection::UnknownKey),
            },
        }
    }
}

impl Entry {
    fn read(key: Value, key_use: KeyUse) -> Self {
        let id = key.get("kid").and_then(Value::as_str).map(str::to_owned);
        let jwk = Jwk::deserialize(key).map_err(|_| Unusable::Malformed);
        Self { id, key: jwk.and_then(|jwk| PublicKey::new(&jwk, key_use)) }
    }
}
