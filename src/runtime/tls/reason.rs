//! Why a client certificate is refused, in words for the operator. The client itself sees an alert only, and many of these
//! certificates are accepted by Windows.

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, OtherError};
use webpki::Error as WebPkiError;
use x509_parser::parse_x509_certificate;
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

/// Why the signature is refused by which a client proves that it has the key of its certificate.
pub(super) fn of_signature(leaf: &CertificateDer<'_>, error: &rustls::Error) -> String {
    let bits = parse_x509_certificate(leaf).ok().and_then(|(_, parsed)| match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    });
    match bits {
        Some(bits) if bits < MIN_RSA_BITS => {
            format!("its RSA key has {bits} bits; at least {MIN_RSA_BITS} are required")
        }
        _ => format!("the client has not proven that it has the key: {error}"),
    }
}
