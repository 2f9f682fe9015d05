//! What is checked before the service starts. MIT krb5 itself reports a missing keytab or an unwritable replay cache only at the
//! first call.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::keytab::{self, Keytab, KeytabError};

/// Why Negotiate cannot be offered.
#[derive(Debug, Error)]
pub enum StartError {
    /// This build lacks Kerberos.
    #[error("auth.negotiate needs a build with Kerberos: cargo build --features negotiate, or the container image")]
    NotBuilt,
    /// The keytab cannot be used.
    #[error("auth.negotiate.keytab")]
    Keytab(#[from] KeytabError),
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

/// Reads the keys of the service, if this build has Kerberos. Blocks.
pub(super) fn check_keytab(path: &Path) -> Result<Keytab, StartError> {
    if cfg!(not(feature = "negotiate")) {
        return Err(StartError::NotBuilt);
    }
    Ok(keytab::describe(path)?)
}

/// Logs the principals of the service, and a warning about weak keys.
pub(super) fn report(keytab: &Keytab) {
    tracing::info!(principals = %keytab, "Negotiate accepts tickets for these principals");
    if let Some(warning) = keytab.warning() {
        tracing::warn!("auth.negotiate.keytab: {warning}");
    }
}

/// Creates the replay cache unless it exists, readable for this user only, and makes sure that it can be written.
pub(super) fn check_replay_cache(path: &Path) -> Result<(), StartError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map(drop).map_err(|source| StartError::ReplayCache { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
