//! CAs, certificates and CRLs, made when a test runs; the tests of the built program make theirs here, too.

use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority.
pub(super) struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(super) struct Leaf {
    pub(super) pem: String,
    pub(super) key_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Ca {
    pub(super) fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(Self::params(name), KeyPair::generate().unwrap()).unwrap())
    }

    /// A CA below this one.
    pub(super) fn subordinate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(Self::params(name), key, &self.0).unwrap())
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for localhost.
    pub(super) fn server(&self, not_after: SystemTime) -> Leaf {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_after = not_after.into();
        self.issue(&params)
    }

    /// A certificate of a client with this serial number, which is also in its name.
    pub(super) fn client(&self, serial: u64, not_after: SystemTime) -> Leaf {
        self.client_with(serial, not_after, |_| {})
    }

    /// The same with changes.
    pub(super) fn client_with(
        &self,
        serial: u64,
        not_after: SystemTime,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        let mut params = named(&format!("client {serial}"));
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = not_after.into();
        change(&mut params);
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Leaf { pem: certificate.pem(), key_pem: key.serialize_pem(), chain: vec![certificate.der().clone()], key }
    }

    /// A CRL in PEM form.
    pub(super) fn crl(&self, revoked: &[u64], this_update: SystemTime, next_update: SystemTime) -> String {
        self.list(revoked, this_update, next_update).pem().unwrap()
    }

    /// The same in DER form.
    pub(super) fn crl_der(&self, revoked: &[u64], this_update: SystemTime, next_update: SystemTime) -> Vec<u8> {
        self.list(revoked, this_update, next_update).der().to_vec()
    }

    fn list(
        &self,
        revoked: &[u64],
        this_update: SystemTime,
        next_update: SystemTime,
    ) -> rcgen::CertificateRevocationList {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: this_update.into(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: this_update.into(),
            next_update: next_update.into(),
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

    /// The same certificate, sent with that of an intermediate CA.
    pub(super) fn through(mut self, ca: &Ca) -> Self {
        self.chain.push(ca.der());
        self
    }

    /// The same certificate, sent with another one.
    pub(super) fn with(mut self, other: &Self) -> Self {
        self.chain.extend(other.chain());
        self
    }
}
