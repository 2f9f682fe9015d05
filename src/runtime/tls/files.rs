//! Reads the files of a port. All are read together, so that one configuration has one content.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::error::TlsError;
use super::settings::TlsSettings;
use crate::runtime::file;

/// Limit on a file with certificates or a key, in bytes.
const PEM_BYTES: usize = 1 << 20;
/// Limit on the file with CRLs, in bytes: about two million entries.
const CRL_BYTES: usize = 64 << 20;
/// Limit on the certificates or CRLs in a file.
const MAX_ITEMS: usize = 64;

/// The files of a port with their content.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) certificate: PemFile,
    pub(super) key: PemFile,
    pub(super) client_ca: Option<PemFile>,
    pub(super) crl: Option<PemFile>,
    pub(super) rule_cas: Vec<PemFile>,
}

/// A file with its content.
pub(super) struct PemFile {
    key: String,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Files {
    /// Reads all files. This blocks.
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let section = settings.port.section();
        let read = |name, path: &Path, limit| PemFile::read(format!("{section}.{name}"), path, limit);
        let clients = settings.clients.as_ref();
        let rule_cas = clients.into_iter().flat_map(|clients| &clients.rule_cas);
        Ok(Self {
            certificate: read("certificate", &settings.certificate, PEM_BYTES)?,
            key: read("key", &settings.key, PEM_BYTES)?,
            client_ca: clients.map(|clients| read("client_ca", &clients.ca, PEM_BYTES)).transpose()?,
            crl: clients.and_then(|clients| clients.crl.as_ref()).map(|crl| read("crl", crl, CRL_BYTES)).transpose()?,
            rule_cas: rule_cas
                .map(|rule| PemFile::read(rule.key.clone(), &rule.path, PEM_BYTES))
                .collect::<Result<_, _>>()?,
        })
    }

    /// SHA-256 of the content of all files.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let own = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref(), self.crl.as_ref()];
        for file in own.into_iter().chain(self.rule_cas.iter().map(Some)) {
            let bytes = file.map_or(&[][..], |file| &file.bytes);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
        digest.finalize().into()
    }
}

impl PemFile {
    fn read(key: String, path: &Path, limit: usize) -> Result<Self, TlsError> {
        match file::read(path, limit) {
            Ok(bytes) => Ok(Self { key, path: path.to_owned(), bytes }),
            Err(source) => Err(TlsError::File { key, source }),
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The key of the configuration that names the file.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The certificates in the file; at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        self.items("certificate", CertificateDer::pem_slice_iter(&self.bytes))
    }

    /// The first private key in the file.
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| match error {
            PemError::NoItemsFound => {
                self.wrong("contains no private key; it must be an unencrypted PKCS#8, PKCS#1 or SEC1 key in PEM form")
            }
            error => self.malformed(&error),
        })
    }

    /// The CRLs in the file; at least one. AD CS publishes a CRL in DER form.
    pub(super) fn crls(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        const SEQUENCE: u8 = 0x30;
        if self.bytes.first() == Some(&SEQUENCE) {
            return Ok(vec![CertificateRevocationListDer::from(self.bytes.clone())]);
        }
        self.items("CRL", CertificateRevocationListDer::pem_slice_iter(&self.bytes))
    }

    /// An error about the content of the file.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> TlsError {
        TlsError::Content { key: self.key.clone(), path: self.path.clone(), problem: problem.into() }
    }

    fn items<T>(&self, what: &str, items: impl Iterator<Item = Result<T, PemError>>) -> Result<Vec<T>, TlsError> {
        let items: Vec<T> =
            items.take(MAX_ITEMS + 1).collect::<Result<_, _>>().map_err(|error| self.malformed(&error))?;
        match items.len() {
            0 => Err(self.wrong(format!("contains no {what} in PEM form"))),
            1..=MAX_ITEMS => Ok(items),
            _ => Err(self.wrong(format!("contains more than {MAX_ITEMS} {what}s"))),
        }
    }

    fn malformed(&self, error: &PemError) -> TlsError {
        match error {
            PemError::MissingSectionEnd { .. } => self.wrong("ends within a PEM section, as a half-written file does"),
            error => self.wrong(format!("is not PEM: {error}")),
        }
    }
}

impl std::fmt::Debug for PemFile {
    /// Omits the content, which may be a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemFile").field("path", &self.path).finish_non_exhaustive()
    }
}
