//! The settings of TLS on both ports.

use std::path::Path;

use crate::config::{CaName, CertificateEntry, ClientCertificates, Config, CrlExpired};
use crate::runtime::tls::{ClientSettings, RuleCa, TlsPort, TlsSettings};

/// TLS of gRPC and REST; `None` if the port is not encrypted.
pub(super) fn public(config: &Config) -> Option<TlsSettings> {
    let tls = &config.tls;
    let clients = |ca| ClientSettings {
        ca,
        crl: tls.crl.0.clone(),
        rule_cas: rule_cas(config),
        is_required: tls.client_certificates == ClientCertificates::Required,
        refuses_expired_crl: tls.crl_expired == CrlExpired::Refuse,
    };
    let clients = match tls.client_certificates {
        ClientCertificates::Off => None,
        ClientCertificates::Optional | ClientCertificates::Required => tls.client_ca.0.clone().map(clients),
    };
    tls.pair().map(|pair| TlsSettings { clients, ..server(config, TlsPort::Public, pair) })
}

/// The files by which the rules for certificates and the proxy name CAs.
fn rule_cas(config: &Config) -> Vec<RuleCa> {
    let file = |(index, entry): (usize, &CertificateEntry)| match &entry.ca {
        Some(CaName::File(path)) => Some(RuleCa { key: format!("auth.certificate[{index}].ca"), path: path.clone() }),
        Some(CaName::KeyHash(_)) | None => None,
    };
    let proxy = config.auth.proxy.as_ref().and_then(|proxy| match &proxy.ca {
        Some(CaName::File(path)) => Some(RuleCa { key: "auth.proxy.ca".to_owned(), path: path.clone() }),
        Some(CaName::KeyHash(_)) | None => None,
    });
    config.auth.certificate.iter().enumerate().filter_map(file).chain(proxy).collect()
}

/// TLS of health and metrics; `None` if the port is not encrypted.
pub(super) fn admin(config: &Config) -> Option<TlsSettings> {
    config.admin_tls.pair().map(|pair| server(config, TlsPort::Admin, pair))
}

/// TLS without client certificates.
fn server(config: &Config, port: TlsPort, (certificate, key): (&Path, &Path)) -> TlsSettings {
    TlsSettings {
        port,
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        min_version: config.tls.min_version,
        clients: None,
        reload_interval: config.tls.reload_interval,
    }
}
