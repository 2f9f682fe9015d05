//! The keys of the service in a keytab, as far as they can be checked without the domain.

mod format;

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::runtime::file::{self, FileError};

pub use format::{FormatError, KeytabEntry};

/// The service of tickets for HTTP (RFC 4559, 4.1): the first component of its principals.
pub(super) const SERVICE: &str = "HTTP";

/// Most principals that an error or a log line lists.
const LISTED: usize = 20;

/// Names of encryption types (RFC 3961, 8, and the registry of IANA).
const ENCRYPTION_NAMES: [(u16, &str); 11] = [
    (1, "des-cbc-crc"),
    (3, "des-cbc-md5"),
    (16, "des3-cbc-sha1"),
    (17, "aes128-cts-hmac-sha1-96"),
    (18, "aes256-cts-hmac-sha1-96"),
    (19, "aes128-cts-hmac-sha256-128"),
    (20, "aes256-cts-hmac-sha384-192"),
    (23, "rc4-hmac"),
    (24, "rc4-hmac-exp"),
    (25, "camellia128-cts-cmac"),
    (26, "camellia256-cts-cmac"),
];

/// Encryption types without a known practical attack: AES (RFC 3962, RFC 8009) and Camellia (RFC 6803).
const STRONG_ENCRYPTION: [u16; 6] = [17, 18, 19, 20, 25, 26];

/// Why a keytab cannot be used. `Display` names the file, to follow the key of the configuration.
#[derive(Debug, Error)]
pub enum KeytabError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is empty.
    #[error("{} is empty; export the keys of the service account into it", path.display())]
    Empty {
        /// The keytab.
        path: PathBuf,
    },
    /// The file is not a keytab.
    #[error("{} is not a keytab", path.display())]
    Format {
        /// The keytab.
        path: PathBuf,
        /// Why.
        source: FormatError,
    },
    /// The keytab has no key for the service.
    #[error("{} has no key of a principal HTTP/host@REALM; it has {found}", path.display())]
    NoService {
        /// The keytab.
        path: PathBuf,
        /// The principals that it has.
        found: String,
    },
}

/// The keys of the service in a keytab, without their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keytab {
    /// The principals of the service, sorted by name; at least one.
    principals: Vec<PrincipalKeys>,
}

/// A principal of the service and its keys. `Display` shows both on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalKeys {
    /// The principal, such as `HTTP/cm.corp.example@CORP.EXAMPLE`.
    pub principal: String,
    /// Its realm.
    pub realm: String,
    /// Version and encryption type of each key, the newest version first.
    pub keys: Vec<(u32, u16)>,
}

/// Reads the keys of the service from a keytab. Blocks.
///
/// # Errors
/// The file cannot be read, is not a keytab, or has no key of a principal `HTTP/host@REALM`.
pub fn describe(path: &Path) -> Result<Keytab, KeytabError> {
    let bytes = file::read(path, format::MAX_BYTES)?;
    if bytes.is_empty() {
        return Err(KeytabError::Empty { path: path.to_owned() });
    }
    let entries =
        KeytabEntry::read_all(&bytes).map_err(|source| KeytabError::Format { path: path.to_owned(), source })?;
    let is_service =
        |entry: &KeytabEntry| matches!(entry.components.as_slice(), [service, _host] if service == SERVICE);
    let (own, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_service);
    if own.is_empty() {
        let others = distinct(others.iter().map(KeytabEntry::principal));
        let found = if others.is_empty() { "no key".to_owned() } else { listed(&others) };
        return Err(KeytabError::NoService { path: path.to_owned(), found });
    }
    Ok(Keytab { principals: by_principal(own) })
}

impl Keytab {
    /// The principals of the service, sorted by name.
    #[must_use]
    pub fn principals(&self) -> &[PrincipalKeys] {
        &self.principals
    }

    /// The realms of the principals.
    #[must_use]
    pub fn realms(&self) -> Vec<String> {
        distinct(self.principals.iter().map(|principal| principal.realm.clone()))
    }

    /// What an operator should change, as a sentence without the key of the configuration; `None` if nothing.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let weak = self.principals.iter().filter(|principal| principal.has_only_weak_keys());
        let weak: Vec<String> = weak.map(|principal| principal.principal.clone()).collect();
        (!weak.is_empty()).then(|| {
            format!(
                "only weak keys (RC4 or DES) for {}; allow AES for the account (msDS-SupportedEncryptionTypes = 24), set its \
                 password again and export a new keytab",
                listed(&weak)
            )
        })
    }
}

/// Lists the principals.
impl fmt::Display for Keytab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let principals: Vec<String> = self.principals.iter().map(|keys| keys.principal.clone()).collect();
        f.write_str(&listed(&principals))
    }
}

impl PrincipalKeys {
    /// Whether every key has an encryption type with a known practical attack.
    #[must_use]
    pub fn has_only_weak_keys(&self) -> bool {
        self.keys.iter().all(|(_, encryption)| !STRONG_ENCRYPTION.contains(encryption))
    }
}

impl fmt::Display for PrincipalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.principal)?;
        for (index, (version, encryption)) in self.keys.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match ENCRYPTION_NAMES.iter().find(|(number, _)| number == encryption) {
                Some((_, name)) => write!(f, "{separator}{name} (version {version})")?,
                None => write!(f, "{separator}encryption type {encryption} (version {version})")?,
            }
        }
        Ok(())
    }
}

fn by_principal(entries: Vec<KeytabEntry>) -> Vec<PrincipalKeys> {
    let mut principals: Vec<PrincipalKeys> = Vec::new();
    let named = entries.into_iter().map(|entry| (entry.principal(), entry));
    let mut named: Vec<(String, KeytabEntry)> = named.collect();
    named.sort_by(|(one, this), (other, that)| one.cmp(other).then(that.version.cmp(&this.version)));
    for (principal, KeytabEntry { realm, version, encryption, components: _ }) in named {
        match principals.last_mut().filter(|last| last.principal == principal) {
            Some(last) => last.keys.push((version, encryption)),
            None => principals.push(PrincipalKeys { principal, realm, keys: vec![(version, encryption)] }),
        }
    }
    principals
}

/// The first texts, separated by commas, and the number of the others.
fn listed(texts: &[String]) -> String {
    let first = texts.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match texts.len().checked_sub(LISTED) {
        None | Some(0) => first,
        Some(others) => format!("{first} and {others} more"),
    }
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests;
