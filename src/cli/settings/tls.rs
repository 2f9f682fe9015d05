//! The settings of TLS on both ports.

use std::path::Path;

use crate::config::{ClientCertificates, Config, CrlExpired, TlsVersion};
use crate::runtime::tls::{ClientSettings, MinVersion, TlsPort, TlsSettings};

/// TLS of gRPC and REST; `None` if the port is not encrypted.
pub(super) fn public(config: &Config) -> Option<TlsSettings> {
    let tls = &config.tls;
    let clients = |ca| ClientSettings {
        ca,
        crl: tls.crl.0.clone(),
        is_required: tls.client_certificates == ClientCertificates::Required,
        refuses_expired_crl: tls.crl_expired == CrlExpired::Refuse,
    };
    let clients = match tls.client_certificates {
        ClientCertificates::Off => None,
        ClientCertificates::Optional | ClientCertificates::Required => tls.client_ca.0.clone().map(clients),
    };
    tls.pair().map(|pair| TlsSettings { clients, ..server(config, TlsPort::Public, pair) })
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
        min_version: match config.tls.min_version {
            TlsVersion::Tls12 => MinVersion::Tls12,
            TlsVersion::Tls13 => MinVersion::Tls13,
        },
        clients: None,
        reload_interval: config.tls.reload_interval,
    }
}
