//! Verifies client certificates against the CAs and CRLs of one configuration.
//!
//! The rules are those of rustls (webpki). They are called directly because rustls does not say which CA a chain leads to. The
//! result depends on the chain, the configuration and the time alone, so it is kept until the next time at which it can change:
//! checking a CRL of 100,000 entries takes a millisecond.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};
use sha2::{Digest, Sha256};
use webpki::{CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationOptionsBuilder};
use x509_parser::parse_x509_certificate;

use super::names::shown;
use super::peer::{Authority, PeerCertificate};
use super::reason;
use crate::runtime::telemetry::LineLimit;

/// Limit on the kept results.
const MAX_KEPT: usize = 1_024;

/// The CAs and CRLs of one configuration.
pub(crate) struct Clients {
    /// The number of the configuration.
    pub(super) generation: u64,
    /// The CAs, each with what is shown of it.
    pub(super) anchors: Vec<(TrustAnchor<'static>, Arc<Authority>)>,
    /// Their CRLs.
    pub(super) crls: Vec<CertRevocationList<'static>>,
    /// The last seconds at which the CRLs have not expired; empty if expired ones are used as well.
    pub(super) crl_ends: Vec<u64>,
    /// The signature algorithms of the provider.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// The names of the CAs, sent to clients as a hint.
    pub(super) hints: Vec<DistinguishedName>,
    /// Limits the log lines about refused certificates.
    pub(super) refusals: Arc<LineLimit>,
    /// Results by the SHA-256 of the chain; see [`Clients::kept`].
    pub(super) kept: Mutex<HashMap<[u8; 32], Judgement>>,
}

/// The result of a successful verification.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) certificate: PeerCertificate,
    /// The last second, since 1970, in which the result cannot change.
    pub(crate) until: u64,
}

impl Clients {
    /// Verifies a chain, the client's own certificate first.
    pub(crate) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Judgement, CertificateError> {
        let hash = hash_of(leaf, intermediates);
        if let Some(kept) = self.kept(&hash, now) {
            return Ok(kept);
        }
        let judgement = self.verify_chain(leaf, intermediates, now);
        let judgement = judgement.inspect_err(|error| self.log(leaf, &reason::of_chain(error)))?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(hash, judgement.clone());
        Ok(judgement)
    }

    fn kept(&self, hash: &[u8; 32], now: UnixTime) -> Option<Judgement> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(hash).filter(|judgement| now.as_secs() <= judgement.until).cloned()
    }

    fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Judgement, CertificateError> {
        let crls: Vec<&CertRevocationList<'_>> = self.crls.iter().collect();
        let expiration = if self.crl_ends.is_empty() { ExpirationPolicy::Ignore } else { ExpirationPolicy::Enforce };
        // Fails only without CRLs. By default the whole chain is checked, and a certificate without a CRL is refused.
        let revocation = RevocationOptionsBuilder::new(&crls).ok();
        let revocation = revocation.map(|options| options.with_expiration_policy(expiration).build());
        let anchors: Vec<TrustAnchor<'_>> = self.anchors.iter().map(|(anchor, _)| anchor.clone()).collect();
        let end_entity = EndEntityCert::try_from(leaf).map_err(refusal)?;
        let usage = KeyUsage::client_auth();
        let algorithms = self.algorithms.all;
        let path = end_entity
            .verify_for_usage(algorithms, &anchors, intermediates, now, usage, revocation, None)
            .map_err(refusal)?;
        let authority = self.anchors.iter().find(|(anchor, _)| anchor == path.anchor());
        let authority = authority.map(|(_, authority)| Arc::clone(authority));
        let (_, parsed) = parse_x509_certificate(leaf).map_err(|_| CertificateError::BadEncoding)?;
        reason::check_key(&parsed)?;
        let certificate = authority
            .and_then(|authority| PeerCertificate::new(leaf.clone().into_owned(), &parsed, authority, self.generation));
        let certificate = certificate.ok_or(CertificateError::BadEncoding)?;
        let not_after = parsed.validity().not_after.timestamp();
        let ends = intermediates.iter().filter_map(not_after_of).chain(self.crl_ends.iter().copied());
        // An end in the past belongs to a certificate that the path does not need.
        let until = ends.filter(|end| *end >= now.as_secs()).min().unwrap_or(u64::MAX);
        Ok(Judgement { certificate, until: until.min(u64::try_from(not_after).unwrap_or(0)) })
    }

    fn log(&self, leaf: &CertificateDer<'_>, reason: &str) {
        let Some(suppressed) = self.refusals.admit() else { return };
        let (serial, subject, issuer) = match parse_x509_certificate(leaf) {
            Ok((_, parsed)) => (parsed.raw_serial_as_string(), shown(parsed.subject()), shown(parsed.issuer())),
            Err(_) => (String::new(), String::new(), String::new()),
        };
        tracing::warn!(reason, serial, subject, issuer, suppressed, "client certificate refused");
    }
}

fn hash_of(leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for certificate in std::iter::once(leaf).chain(intermediates) {
        hash.update((certificate.len() as u64).to_be_bytes());
        hash.update(certificate);
    }
    hash.finalize().into()
}

fn not_after_of(certificate: &CertificateDer<'_>) -> Option<u64> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    parsed.validity().not_after.timestamp().try_into().ok()
}

/// The error as rustls reports it, which decides the alert for the client.
fn refusal(error: webpki::Error) -> CertificateError {
    match error {
        webpki::Error::BadDer | webpki::Error::BadDerTime | webpki::Error::TrailingData(_) => {
            CertificateError::BadEncoding
        }
        webpki::Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        webpki::Error::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::CertRevoked => CertificateError::Revoked,
        webpki::Error::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        webpki::Error::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }
        }
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
}

/// The certificate is optional in the handshake even if calls require it, so that a caller without one gets a readable answer.
impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verify(end_entity, intermediates, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
            .inspect_err(|error| self.log(certificate, &reason::of_signature(error)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
            .inspect_err(|error| self.log(certificate, &reason::of_signature(error)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").field("generation", &self.generation).finish_non_exhaustive()
    }
}
