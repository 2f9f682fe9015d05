//! Why a client certificate is refused, in words for the operator. The client itself sees an alert only, and many of these
//! certificates are accepted by Windows.

use std::sync::Arc;

use rustls::{CertificateError, OtherError};
use thiserror::Error;
use webpki::Error as WebPkiError;
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

/// Smallest RSA key whose signatures are accepted, in bits.
const MIN_RSA_BITS: usize = 2_048;

/// Why a chain is refused.
pub(crate) fn of_chain(error: &CertificateError) -> String {
    let CertificateError::Other(OtherError(other)) = error else { return error.to_string() };
    match other.downcast_ref() {
        Some(WebPkiError::UnsupportedCertVersion) => "it is not an X.509 certificate of version 3".to_owned(),
        Some(WebPkiError::UnsupportedSignatureAlgorithmContext(_)) => {
            "a signature in its chain has an algorithm that is not accepted, such as SHA-1".to_owned()
        }
        Some(WebPkiError::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {
            "a signature in its chain has an algorithm that is not accepted with the key of the CA".to_owned()
        }
        Some(WebPkiError::MaximumPathDepthExceeded) => "its chain has more than 6 intermediate CAs".to_owned(),
        Some(WebPkiError::UnsupportedCriticalExtension) => {
            "it has a critical extension that is not supported (RFC 5280, 4.2)".to_owned()
        }
        _ => other.to_string(),
    }
}

/// An RSA key whose signatures are not accepted. The library notices only when the client uses it.
#[derive(Debug, Error)]
#[error("its RSA key has {bits} bits; at least {MIN_RSA_BITS} are required")]
struct ShortKey {
    bits: usize,
}

/// Refuses a certificate whose key could not prove anything.
pub(super) fn check_key(certificate: &X509Certificate<'_>) -> Result<(), CertificateError> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < MIN_RSA_BITS => {
            Err(CertificateError::Other(OtherError(Arc::new(ShortKey { bits: key.key_size() }))))
        }
        _ => Ok(()),
    }
}

/// Why the signature is refused by which a client proves that it has the key of its certificate.
pub(super) fn of_signature(error: &rustls::Error) -> String {
    format!("the client has not proven that it has the key: {error}")
}
