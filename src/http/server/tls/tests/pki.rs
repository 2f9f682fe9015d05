//! CAs and certificates, made when a test runs.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The time at which tests begin, in seconds since 1970.
pub(super) const START: u64 = 1_800_000_000;

pub(super) struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(super) struct Leaf {
    pub(super) pem: String,
    pub(super) key_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Ca {
    pub(super) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for localhost.
    pub(super) fn server(&self) -> Leaf {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    /// A certificate of a client with this serial number, which is also in its name.
    pub(super) fn client(&self, serial: u64, not_after: u64) -> Leaf {
        let mut params = named(&format!("client {serial}"));
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = time(not_after).into();
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Leaf { pem: certificate.pem(), key_pem: key.serialize_pem(), chain: vec![certificate.der().clone()], key }
    }

    pub(super) fn crl(&self, revoked: &[u64], next_update: u64) -> String {
        self.list(revoked, next_update).pem().unwrap()
    }

    pub(super) fn crl_der(&self, revoked: &[u64], next_update: u64) -> Vec<u8> {
        self.list(revoked, next_update).der().to_vec()
    }

    fn list(&self, revoked: &[u64], next_update: u64) -> rcgen::CertificateRevocationList {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: time(START).into(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: time(START).into(),
            next_update: time(next_update).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap()
    }
}

impl Leaf {
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    /// The same certificate, sent with another one.
    pub(super) fn with(mut self, other: &Self) -> Self {
        self.chain.extend(other.chain());
        self
    }
}
