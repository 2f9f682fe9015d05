//! Callers by TLS client certificate: rules map what a certificate says to a caller, each for the certificates of its CAs.
//!
//! The server has verified the certificate already; see [`PeerCertificate`](crate::runtime::tls::PeerCertificate).

mod callers;
mod contents;
mod distinguished_name;
mod kept;
mod rejection;
mod rule;

pub use callers::Certificates;
pub use contents::Contents;
pub(super) use kept::KeptByCertificate;
pub use rejection::CertificateRejection;
pub use rule::{CaFilter, KnownCaller, Rule, Rules, Source};

#[cfg(test)]
mod tests;
