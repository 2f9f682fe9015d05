//! What is checked before the service starts. MIT krb5 itself reports a missing keytab or an unwritable replay cache only at the
//! first call.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::keytab::{self, KeytabEntry, KeytabError};

/// The service of tickets for HTTP (RFC 4559, 4.1): the first component of its principals.
pub(super) const SERVICE: &str = "HTTP";

/// Encryption types without a known practical attack: AES (RFC 3962, RFC 8009) and Camellia (RFC 6803).
const STRONG_ENCRYPTION: [u16; 6] = [17, 18, 19, 20, 25, 26];

/// Why Negotiate cannot be offered.
#[derive(Debug, Error)]
pub enum StartError {
    /// This build lacks Kerberos.
    #[error("auth.negotiate needs a build with Kerberos: cargo build --features negotiate, or the container image")]
    NotBuilt,
    /// The keytab cannot be read.
    #[error("auth.negotiate.keytab: cannot read {}", path.display())]
    Unreadable {
        /// The keytab.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a keytab.
    #[error("auth.negotiate.keytab: {} is not a keytab", path.display())]
    Keytab {
        /// The keytab.
        path: PathBuf,
        /// Why.
        source: KeytabError,
    },
    /// The keytab has no key for the service.
    #[error(
        "auth.negotiate.keytab: {} has no key of a principal HTTP/host@REALM; it has {found}", path.display()
    )]
    NoService {
        /// The keytab.
        path: PathBuf,
        /// The principals that it has.
        found: String,
    },
    /// The replay cache cannot be written.
    #[error("auth.negotiate.replay_cache: cannot write {}", path.display())]
    ReplayCache {
        /// The replay cache.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// MIT krb5 refuses the keytab.
    #[error("auth.negotiate: Kerberos does not start: {0}")]
    Kerberos(String),
}

/// Reads the keys of the service from a keytab. Logs the principals, and a warning about weak keys.
pub(super) fn service_keys(path: &Path) -> Result<Vec<KeytabEntry>, StartError> {
    let bytes = read(path).map_err(|source| StartError::Unreadable { path: path.to_owned(), source })?;
    let entries =
        KeytabEntry::read_all(&bytes).map_err(|source| StartError::Keytab { path: path.to_owned(), source })?;
    let is_service =
        |entry: &KeytabEntry| matches!(entry.components.as_slice(), [service, _host] if service == SERVICE);
    let (keys, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_service);
    if keys.is_empty() {
        return Err(StartError::NoService { path: path.to_owned(), found: principals(&others) });
    }
    tracing::info!(principals = principals(&keys), "Negotiate accepts tickets for these principals");
    if keys.iter().all(|key| !STRONG_ENCRYPTION.contains(&key.encryption)) {
        tracing::warn!(
            "the keytab has only weak keys (RC4 or DES); allow AES for the account (msDS-SupportedEncryptionTypes = 24), \
             set its password again and export a new keytab"
        );
    }
    Ok(keys)
}

/// Creates the replay cache unless it exists, readable for this user only, and makes sure that it can be written.
pub(super) fn check_replay_cache(path: &Path) -> Result<(), StartError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map(drop).map_err(|source| StartError::ReplayCache { path: path.to_owned(), source })
}

/// The distinct realms of keys.
pub(super) fn realms(keys: &[KeytabEntry]) -> Vec<String> {
    distinct(keys.iter().map(|key| key.realm.clone()))
}

fn principals(entries: &[KeytabEntry]) -> String {
    let principals = distinct(entries.iter().map(KeytabEntry::principal));
    if principals.is_empty() { "no key".to_owned() } else { principals.join(", ") }
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    texts
}

/// Reads one byte more than a keytab may have at most.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(keytab::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
