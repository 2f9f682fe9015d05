//! The byte stream below a connection: TCP, and TLS if configured.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Address, Failure, TlsSettings};

/// A stream of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// TLS configuration, read once for all connections of a cluster.
pub(crate) fn tls(settings: &TlsSettings) -> Result<Arc<ClientConfig>, Failure> {
    let wrong = |setting, reason: String| Failure::Setting { setting, reason };
    let mut roots = RootCertStore::empty();
    match &settings.authorities {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| wrong("authorities", error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong("authorities", error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(wrong("authorities", "there is no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("tls", error.to_string()))?
        .with_root_certificates(roots);
    let config = match &settings.identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.certificates.as_bytes()).collect();
            let chain = chain.map_err(|error| wrong("certificates", error.to_string()))?;
            let key = PrivateKeyDer::from_pem_slice(identity.key.expose_secret().as_bytes())
                .map_err(|error| wrong("key", error.to_string()))?;
            config.with_client_auth_cert(chain, key).map_err(|error| wrong("certificates", error.to_string()))?
        }
    };
    Ok(Arc::new(config))
}

/// Connects to a broker.
pub(super) async fn connect(address: &Address, tls: Option<&Arc<ClientConfig>>) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((&*address.host, address.port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(address.host.to_string()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TlsIdentity;

    #[test]
    fn unusable_material_names_its_setting() {
        let setting = |settings: &TlsSettings| match tls(settings) {
            Err(Failure::Setting { setting, reason }) => {
                assert!(!reason.contains("canary"), "{reason}");
                setting
            }
            other => panic!("{other:?}"),
        };
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(setting(&TlsSettings { authorities: Some(String::new()), identity: None }), "authorities");
        assert_eq!(setting(&TlsSettings { authorities: Some(broken.to_owned()), identity: None }), "authorities");
        let authority = rcgen::generate_simple_self_signed(["broker".to_owned()]).unwrap();
        let identity = TlsIdentity { certificates: authority.cert.pem(), key: "canary".into() };
        let settings = TlsSettings { authorities: Some(authority.cert.pem()), identity: Some(identity) };
        assert_eq!(setting(&settings), "key");
        assert!(tls(&TlsSettings { identity: None, ..settings }).is_ok());
    }
}
