//! The channel binding `tls-server-end-point` (RFC 5929, 4.1): what ties a credential to the certificate of a TLS server.

use std::sync::Arc;

use ring::digest::{self, Algorithm};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Application data of the binding (RFC 5929, 4.1): a prefix and the hash of the server's certificate. The listener adds it to the
/// requests of a TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEndPoint(Arc<[u8]>);

/// Whether credentials must be bound to the TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// They are not compared.
    Off,
    /// A binding that the client sends must be right.
    WhenSent,
    /// The client must send the right binding.
    Required,
}

const PREFIX: &[u8] = b"tls-server-end-point:";

/// Object identifiers of hash functions, as parameters of RSASSA-PSS (RFC 4055, 2.1).
const SHA384: &str = "2.16.840.1.101.3.4.2.2";
const SHA512: &str = "2.16.840.1.101.3.4.2.3";
/// Signature algorithms with a hash function other than SHA-256: RSA (RFC 8017) and ECDSA (RFC 5758).
const WITH_SHA384: [&str; 2] = ["1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"];
const WITH_SHA512: [&str; 2] = ["1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"];

impl ServerEndPoint {
    /// The binding to a certificate in DER. `None` if the certificate cannot be read, or if its signature has no hash function of its
    /// own, as Ed25519: RFC 5929 defines no binding then.
    #[must_use]
    pub fn of_certificate(certificate: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let hash = digest::digest(hash_function(&parsed)?, certificate);
        Some(Self([PREFIX, hash.as_ref()].concat().into()))
    }

    /// The application data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The hash function of the signature; SHA-256 in place of MD5 and SHA-1.
fn hash_function(certificate: &X509Certificate) -> Option<&'static Algorithm> {
    let of = |id: &str, sha384: &[&str], sha512: &[&str]| match id {
        id if sha384.contains(&id) => &digest::SHA384,
        id if sha512.contains(&id) => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let algorithm = &certificate.signature_algorithm;
    match SignatureAlgorithm::try_from(algorithm).ok()? {
        SignatureAlgorithm::RSA | SignatureAlgorithm::DSA | SignatureAlgorithm::ECDSA => {
            Some(of(&algorithm.algorithm.to_id_string(), &WITH_SHA384, &WITH_SHA512))
        }
        SignatureAlgorithm::RSASSA_PSS(parameters) => {
            Some(of(&parameters.hash_algorithm_oid().to_id_string(), &[SHA384], &[SHA512]))
        }
        SignatureAlgorithm::RSAAES_OAEP(_) | SignatureAlgorithm::ED25519 => None,
    }
}

#[cfg(test)]
mod tests;
