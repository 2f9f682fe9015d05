//! `cmgate doctor cert`: a client certificate, verified as in a handshake, and the caller that it identifies.

use std::path::{Path, PathBuf};

use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::report::{Finding, Report};
use super::{TooSlow, blocking, credential, proofs, too_slow};
use crate::cli::settings::Settings;
use crate::http::auth::certificate::Rules;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::error_chain;
use crate::runtime::tls::{PeerCertificate, Tls, TlsSettings, reason_of_refusal};

/// Limit on the file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Limit on the certificates of a chain.
const MAX_CHAIN: usize = 64;

/// Examines the certificate in a file, followed by its intermediate CAs.
pub(super) async fn examine(settings: Settings, file: PathBuf) -> Report {
    let Some(tls) = settings.tls.clone().filter(|tls| tls.clients.is_some()) else {
        let advice = "set tls.client_certificates to \"optional\" or \"required\", and tls.client_ca";
        let text = "clients are not asked for certificates";
        return Report::of(vec![Finding::fault("tls.client_certificates", text, advice)]);
    };
    let rules = proofs(&settings.authentication).map(|proofs| proofs.certificates.clone()).unwrap_or_default();
    match blocking(move || verify(tls, &file)).await {
        Err(TooSlow) => Report::of(vec![too_slow("file", "move the files to a local disk")]),
        Ok(Err(finding)) => Report::of(vec![finding]),
        Ok(Ok(certificate)) => judge(&certificate, &rules),
    }
}

/// Verifies the chain in a file against the CAs and CRLs of the configuration.
fn verify(settings: TlsSettings, file: &Path) -> Result<PeerCertificate, Finding> {
    let chain = chain(&credential::read(file, MAX_BYTES)?)?;
    let tls = Tls::load(settings, Clock::System).map_err(|error| Finding::plain_fault("tls", error_chain(&error)))?;
    let (Some(clients), Some((leaf, intermediates))) = (tls.current().clients.clone(), chain.split_first()) else {
        return Err(Finding::plain_fault("file", "contains no certificate"));
    };
    let verified = clients.verify(leaf, intermediates, tls.now());
    verified.map(|judgement| judgement.certificate).map_err(|error| {
        Finding::fault("certificate", format!("refused: {}", reason_of_refusal(&error)), advice(&error))
    })
}

/// The certificates of a file in PEM form, or a single one in DER form.
fn chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Finding> {
    const SEQUENCE: u8 = 0x30;
    if bytes.first() == Some(&SEQUENCE) {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let certificates = CertificateDer::pem_slice_iter(bytes).take(MAX_CHAIN).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(Finding::plain_fault("file", "contains no certificate in PEM or DER form"))
        }
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(Finding::plain_fault("file", "is not PEM")),
    }
}

fn judge(certificate: &PeerCertificate, rules: &Rules) -> Report {
    let text = format!(
        "accepted: {}, serial number {}, valid until {}, by the CA {}",
        certificate.subject(),
        certificate.serial(),
        certificate.not_after().utc(),
        certificate.authority().name
    );
    let mut report = Report::of(vec![Finding::ok("certificate", text)]);
    if rules.0.is_empty() {
        let text = "auth.certificate has no rule, so a certificate identifies no caller";
        report.findings.push(Finding::warning(
            "rules",
            text,
            "add an [[auth.certificate]] entry, or use tokens beside it",
        ));
        return report;
    }
    match rules.caller(certificate) {
        Ok(caller) => report.prove(caller),
        Err(rejection) => {
            let advice = "add or correct an [[auth.certificate]] entry";
            report.findings.push(Finding::fault("rules", rejection, advice));
        }
    }
    report
}

const fn advice(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "renew the certificate",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "wait until it is valid, or compare the clocks"
        }
        CertificateError::UnknownIssuer => "add its CA to tls.client_ca, and the intermediate CAs to the file",
        CertificateError::Revoked => "issue another certificate",
        CertificateError::UnknownRevocationStatus => "add the CRL of every CA of its chain to tls.crl",
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            "publish a new CRL, or set tls.crl_expired to \"warn\""
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "issue it with clientAuth in its extended key usage"
        }
        CertificateError::BadEncoding => "use an X.509 certificate of version 3",
        _ => "issue it as RFC 5280 asks: version 3, SHA-256, RSA of at least 2048 bits or P-256 or P-384",
    }
}
