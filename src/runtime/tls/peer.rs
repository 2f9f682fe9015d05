//! The verified certificate of a client.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;

use super::names::shown;
use crate::domain::Timestamp;

/// The certificate of a TLS client, verified against the CAs and CRLs in force: an extension of each of its requests. Clones
/// share it.
#[derive(Clone, Debug)]
pub struct PeerCertificate(Arc<Verified>);

#[derive(Debug)]
struct Verified {
    der: CertificateDer<'static>,
    thumbprint: [u8; 32],
    subject: String,
    issuer: String,
    serial: String,
    not_after: Timestamp,
    authority: Arc<Authority>,
    generation: u64,
}

/// A configured CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its name; distinct among the configured CAs.
    pub name: String,
    /// SHA-256 of its public key (the `SubjectPublicKeyInfo` of RFC 5280, 4.1.2.7).
    pub key_hash: [u8; 32],
    /// The files of the rules that contain it; see [`ClientSettings::rule_cas`](super::ClientSettings::rule_cas).
    pub files: Vec<PathBuf>,
}

impl PeerCertificate {
    /// A certificate that was verified, with the CA that its chain leads to.
    pub(super) fn new(
        der: CertificateDer<'static>,
        parsed: &X509Certificate<'_>,
        authority: Arc<Authority>,
        generation: u64,
    ) -> Option<Self> {
        Some(Self(Arc::new(Verified {
            thumbprint: Sha256::digest(&der).into(),
            subject: shown(parsed.subject()),
            issuer: shown(parsed.issuer()),
            serial: parsed.raw_serial_as_string(),
            not_after: Timestamp::from_micros(parsed.validity().not_after.timestamp().checked_mul(1_000_000)?)?,
            authority,
            generation,
            der,
        })))
    }

    /// A certificate that counts as verified.
    #[cfg(test)]
    pub(crate) fn verified(der: &[u8], authority: Authority) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        Self::new(der.to_vec().into(), &parsed, Arc::new(authority), 1)
    }

    /// The certificate in DER form.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 of the DER form, as in `x5t#S256` (RFC 8705, 3.1).
    #[must_use]
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.0.thumbprint
    }

    /// The subject, for people.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The issuer, for people.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The serial number in hexadecimal digits.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// The last moment of its validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// The configured CA that its chain leads to.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.0.authority
    }

    /// The number of the TLS configuration that verified it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }
}
