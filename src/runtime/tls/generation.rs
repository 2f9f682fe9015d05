//! One TLS configuration: everything that one reading of the files determines.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{DistinguishedName, InconsistentKeys, ServerConfig};
use sha2::{Digest, Sha256};
use webpki::{OwnedCertRevocationList, anchor_from_trusted_cert};
use x509_parser::{parse_x509_certificate, parse_x509_crl};

use super::end_point::ServerEndPoint;
use super::error::TlsError;
use super::expiry::{Expiry, ExpiryKind};
use super::files::{Files, PemFile};
use super::names::{distinct, shown};
use super::peer::Authority;
use super::settings::{ClientSettings, MinVersion, TlsSettings};
use super::verify::Clients;
use crate::domain::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::LineLimit;

/// Limit on the sessions that clients may resume. Each holds the client's chain.
const SESSIONS: usize = 1_024;
/// The protocols offered by ALPN (RFC 7301), the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A configuration in force.
#[derive(Debug)]
pub(crate) struct Generation {
    /// Counts the configurations of a port from 1.
    pub(crate) number: u64,
    /// The configuration of rustls.
    pub(crate) config: Arc<ServerConfig>,
    /// The binding to the certificate of the server; `None` if there is no such binding.
    pub(crate) end_point: Option<ServerEndPoint>,
    /// What verifies client certificates; `None` if the server does not ask for them.
    pub(crate) clients: Option<Arc<Clients>>,
    /// When its certificates and CRLs expire.
    pub(super) expiries: Vec<Expiry>,
}

impl Generation {
    /// Builds a configuration from the files.
    pub(super) fn build(
        number: u64,
        files: &Files,
        settings: &TlsSettings,
        clock: &Clock,
        refusals: &Arc<LineLimit>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let (certified, server) = certified_key(files, &provider)?;
        let mut expiries = vec![server];
        let clients = match (&settings.clients, &files.client_ca) {
            (Some(settings), Some(client_ca)) => {
                let clients = clients(number, files, client_ca, settings, &provider, refusals)?;
                expiries.extend(clients.1);
                Some(Arc::new(clients.0))
            }
            _ => None,
        };
        let versions = match settings.min_version {
            MinVersion::Tls12 => &[&TLS13, &TLS12][..],
            MinVersion::Tls13 => &[&TLS13],
        };
        let time = Arc::new(ServiceTime(clock.clone()));
        let config = ServerConfig::builder_with_details(provider, time)
            .with_protocol_versions(versions)
            .map_err(|source| TlsError::Unusable { section: settings.port.section(), source })?;
        let config = match &clients {
            Some(clients) => config.with_client_cert_verifier(Arc::clone(clients) as _),
            None => config.with_no_client_auth(),
        };
        let end_point = certified.end_entity_cert().ok().and_then(|own| ServerEndPoint::of_certificate(own));
        let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        Ok(Self { number, config: Arc::new(config), end_point, clients, expiries })
    }
}

/// The certificate and the key of the server.
fn certified_key(files: &Files, provider: &CryptoProvider) -> Result<(CertifiedKey, Expiry), TlsError> {
    let chain = files.certificate.certificates()?;
    let expiry = chain.iter().map(|der| expiry(&files.certificate, ExpiryKind::Server, der)).next().transpose()?;
    let expiry = expiry.ok_or_else(|| files.certificate.wrong("contains no certificate"))?;
    let key = files.key.private_key()?;
    CertifiedKey::from_der(chain, key, provider).map(|certified| (certified, expiry)).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch {
            key: files.key.key().to_owned(),
            path: files.key.path().to_owned(),
            certificate: files.certificate.path().to_owned(),
        },
        rustls::Error::InvalidCertificate(problem) => {
            files.certificate.wrong(format!("contains a certificate that cannot be used: {problem}"))
        }
        error => files.key.wrong(format!("contains a key that cannot be used: {error}")),
    })
}

/// What verifies client certificates.
fn clients(
    number: u64,
    files: &Files,
    client_ca: &PemFile,
    settings: &ClientSettings,
    provider: &CryptoProvider,
    refusals: &Arc<LineLimit>,
) -> Result<(Clients, Vec<Expiry>), TlsError> {
    let certificates = client_ca.certificates()?;
    let mut expiries: Vec<Expiry> = certificates
        .iter()
        .map(|certificate| expiry(client_ca, ExpiryKind::ClientCa, certificate))
        .collect::<Result<_, _>>()?;
    name_apart(&mut expiries);
    let rule_cas = rule_cas(files)?;
    let mut anchors = Vec::new();
    let mut hints = Vec::new();
    for (certificate, Expiry { name, .. }) in certificates.iter().zip(&expiries) {
        let anchor = anchor_from_trusted_cert(certificate)
            .map_err(|error| client_ca.wrong(format!("contains a CA that cannot be used, {name}: {error}")))?;
        let key_hash = key_hash(client_ca, certificate)?;
        let named = rule_cas.iter().filter(|(_, hashes)| hashes.contains(&key_hash));
        let authority =
            Authority { name: name.clone(), key_hash, files: named.map(|(path, _)| (*path).to_owned()).collect() };
        hints.push(DistinguishedName::in_sequence(&anchor.subject));
        anchors.push((anchor.to_owned(), Arc::new(authority)));
    }
    let (mut crls, mut crl_expiries) = (Vec::new(), Vec::new());
    if let Some(file) = &files.crl {
        for der in file.crls()? {
            let parsed = OwnedCertRevocationList::from_der(&der);
            let parsed = parsed.map_err(|error| file.wrong(format!("contains a CRL that cannot be used: {error}")))?;
            crls.push(parsed.into());
            crl_expiries.push(crl_expiry(file, &der)?);
        }
        name_apart(&mut crl_expiries);
    }
    // A CRL has expired at its nextUpdate, a certificate only after its notAfter.
    let last_second = |expiry: &Expiry| seconds(expiry.at).saturating_sub(1);
    let crl_ends =
        if settings.refuses_expired_crl { crl_expiries.iter().map(last_second).collect() } else { Vec::new() };
    expiries.append(&mut crl_expiries);
    let clients = Clients {
        generation: number,
        anchors,
        crls,
        crl_ends,
        algorithms: provider.signature_verification_algorithms,
        hints,
        refusals: Arc::clone(refusals),
        kept: Mutex::new(HashMap::new()),
    };
    Ok((clients, expiries))
}

/// A file by which rules name CAs, and the hashes of the keys of its CAs.
type RuleKeys<'f> = (&'f Path, Vec<[u8; 32]>);

fn rule_cas(files: &Files) -> Result<Vec<RuleKeys<'_>>, TlsError> {
    let hashes = |file: &PemFile| -> Result<Vec<[u8; 32]>, TlsError> {
        file.certificates()?.iter().map(|certificate| key_hash(file, certificate)).collect()
    };
    files.rule_cas.iter().map(|file| hashes(file).map(|hashes| (file.path(), hashes))).collect()
}

fn name_apart(expiries: &mut [Expiry]) {
    let names = distinct(expiries.iter().map(|expiry| expiry.name.clone()));
    for (expiry, name) in expiries.iter_mut().zip(names) {
        expiry.name = name;
    }
}

fn expiry(file: &PemFile, kind: ExpiryKind, der: &CertificateDer<'_>) -> Result<Expiry, TlsError> {
    let (_, parsed) = parse_x509_certificate(der)
        .map_err(|error| file.wrong(format!("contains a certificate that cannot be read: {error}")))?;
    let validity = parsed.validity();
    let from = timestamp(file, validity.not_before.timestamp())?;
    let at = timestamp(file, validity.not_after.timestamp())?;
    Ok(Expiry { kind, name: shown(parsed.subject()), from, at })
}

fn crl_expiry(file: &PemFile, der: &[u8]) -> Result<Expiry, TlsError> {
    let (_, parsed) =
        parse_x509_crl(der).map_err(|error| file.wrong(format!("contains a CRL that cannot be read: {error}")))?;
    let name = shown(parsed.issuer());
    let next =
        parsed.next_update().ok_or_else(|| file.wrong(format!("contains a CRL without nextUpdate, of {name}")))?;
    let from = timestamp(file, parsed.last_update().timestamp())?;
    Ok(Expiry { kind: ExpiryKind::Crl, from, at: timestamp(file, next.timestamp())?, name })
}

fn key_hash(file: &PemFile, der: &CertificateDer<'_>) -> Result<[u8; 32], TlsError> {
    let (_, parsed) = parse_x509_certificate(der)
        .map_err(|error| file.wrong(format!("contains a certificate that cannot be read: {error}")))?;
    Ok(Sha256::digest(parsed.public_key().raw).into())
}

fn timestamp(file: &PemFile, seconds: i64) -> Result<Timestamp, TlsError> {
    let time = seconds.checked_mul(1_000_000).and_then(Timestamp::from_micros);
    time.ok_or_else(|| file.wrong("contains a time that is out of range"))
}

/// Whole seconds since 1970; a time before that counts as 1970.
pub(super) fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.micros() / 1_000_000).unwrap_or(0)
}

/// The clock of the service, for rustls.
#[derive(Debug)]
struct ServiceTime(Clock);

impl TimeProvider for ServiceTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(&self.0))
    }
}

/// The time of the clock, in the type of rustls.
pub(super) fn unix_time(clock: &Clock) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds(clock.now())))
}
