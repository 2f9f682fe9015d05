//! Errors of the TLS files: each names the key of the configuration and the file.

use std::path::PathBuf;

use thiserror::Error;

use crate::runtime::file::FileError;

/// Why TLS files cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key}")]
    File {
        /// The key of the configuration.
        key: String,
        /// Why.
        source: FileError,
    },
    /// The content of a file is not valid.
    #[error("{key}: {path} {problem}", path = path.display())]
    Content {
        /// The key of the configuration.
        key: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, to follow the path in a sentence.
        problem: String,
    },
    /// The certificate and the key are those of different pairs.
    #[error(
        "{key}: the key in {path} does not belong to the certificate in {certificate}",
        path = path.display(),
        certificate = certificate.display()
    )]
    Mismatch {
        /// The key of the configuration.
        key: String,
        /// The file of the private key.
        path: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// rustls refused the configuration for another reason.
    #[error("{section}: the configuration cannot be used")]
    Unusable {
        /// The section of the configuration.
        section: &'static str,
        /// Why.
        source: rustls::Error,
    },
}
