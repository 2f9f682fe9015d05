//! `[tls]` and `[admin_tls]`: the certificates of the ports, and client certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{Invalid, require, require_within};
use super::setting::{self, Setting};
use crate::runtime::network::Networks;
use crate::runtime::tls::MinVersion;

/// `[tls]`: TLS of gRPC and REST.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain of the server, its own certificate first. Default: empty, no TLS.
    #[serde(with = "setting")]
    pub certificate: OptionalPath,
    /// PEM file with the private key, not encrypted. Default: empty.
    #[serde(with = "setting")]
    pub key: OptionalPath,
    /// The oldest version of TLS that is accepted: `1.2` or `1.3`. Default: `1.2`.
    #[serde(with = "setting")]
    pub min_version: MinVersion,
    /// Whether clients are asked for a certificate: `off`, `optional` or `required`. Default: `off`.
    #[serde(with = "setting")]
    pub client_certificates: ClientCertificates,
    /// PEM file with the CAs whose client certificates are accepted. Default: empty.
    #[serde(with = "setting")]
    pub client_ca: OptionalPath,
    /// File with the CRLs of these CAs and of all intermediate CAs, PEM, or DER for a single one. A certificate whose CA has no CRL
    /// in it is refused. Default: empty, certificates cannot be revoked.
    #[serde(with = "setting")]
    pub crl: OptionalPath,
    /// What an expired CRL does: `warn` continues to use it, `refuse` refuses the certificates of its CA. Default: `warn`.
    #[serde(with = "setting")]
    pub crl_expired: CrlExpired,
    /// How often the files are checked for changes; SIGHUP checks them at once. Default: `10s`.
    #[serde(with = "setting")]
    pub reload_interval: Duration,
    /// Networks of the proxies that terminate TLS, such as `10.0.0.0/8`: the port is not encrypted and accepts connections from
    /// these networks only. Default: empty.
    #[serde(with = "setting")]
    pub terminated: Networks,
}

/// `[admin_tls]`: TLS of health and metrics.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminTls {
    /// PEM file with the certificate chain of the server. Default: empty, no TLS.
    #[serde(with = "setting")]
    pub certificate: OptionalPath,
    /// PEM file with the private key, not encrypted. Default: empty.
    #[serde(with = "setting")]
    pub key: OptionalPath,
}

/// A path, or nothing if the text is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionalPath(pub Option<PathBuf>);

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    Off,
    /// They may have one.
    Optional,
    /// Calls without one are refused.
    Required,
}

/// What an expired CRL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrlExpired {
    /// It is still used.
    Warn,
    /// It refuses the certificates of its CA.
    Refuse,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: OptionalPath(None),
            key: OptionalPath(None),
            min_version: MinVersion::Tls12,
            client_certificates: ClientCertificates::Off,
            client_ca: OptionalPath(None),
            crl: OptionalPath(None),
            crl_expired: CrlExpired::Warn,
            reload_interval: Duration::from_secs(10),
            terminated: Networks::default(),
        }
    }
}

impl Tls {
    /// Certificate and key; `None` without TLS.
    #[must_use]
    pub fn pair(&self) -> Option<(&Path, &Path)> {
        pair(&self.certificate, &self.key)
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        check_pair(&self.certificate, &self.key, ["tls.certificate", "tls.key"])?;
        require_within(
            "tls.reload_interval",
            &self.reload_interval,
            &(Duration::from_millis(100)..=Duration::from_hours(24)),
        )?;
        let has_tls = self.certificate.0.is_some();
        let asks = self.client_certificates != ClientCertificates::Off;
        require(!asks || has_tls, "tls.client_certificates", "requires tls.certificate and tls.key")?;
        let has_ca = self.client_ca.0.is_some();
        require(!asks || has_ca, "tls.client_ca", "is required unless tls.client_certificates is \"off\"")?;
        let unused = "has no effect while tls.client_certificates is \"off\"; set that to \"optional\" or \"required\"";
        require(asks || !has_ca, "tls.client_ca", unused)?;
        require(asks || self.crl.0.is_none(), "tls.crl", unused)?;
        let is_terminated = !self.terminated.is_empty();
        require(!is_terminated || !has_tls, "tls.terminated", "cannot be combined with tls.certificate")
    }

    /// Whether the port may listen on an address that other machines reach.
    pub(super) fn protects(&self) -> bool {
        self.certificate.0.is_some() || !self.terminated.is_empty()
    }
}

impl AdminTls {
    /// Certificate and key; `None` without TLS.
    #[must_use]
    pub fn pair(&self) -> Option<(&Path, &Path)> {
        pair(&self.certificate, &self.key)
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        check_pair(&self.certificate, &self.key, ["admin_tls.certificate", "admin_tls.key"])
    }
}

fn pair<'a>(certificate: &'a OptionalPath, key: &'a OptionalPath) -> Option<(&'a Path, &'a Path)> {
    certificate.0.as_deref().zip(key.0.as_deref())
}

fn check_pair(certificate: &OptionalPath, key: &OptionalPath, names: [&'static str; 2]) -> Result<(), Invalid> {
    let [certificate_name, key_name] = names;
    let is_missing = |this: &OptionalPath, other: &OptionalPath| this.0.is_none() && other.0.is_some();
    require(!is_missing(certificate, key), certificate_name, format!("is required with {key_name}"))?;
    require(!is_missing(key, certificate), key_name, format!("is required with {certificate_name}"))
}

impl Setting for OptionalPath {
    const EXPECTED: &'static str = "a path";

    fn read(text: &str) -> Option<Self> {
        Some(Self((!text.is_empty()).then(|| PathBuf::from(text))))
    }

    fn write(&self) -> String {
        self.0.as_deref().map(|path| path.display().to_string()).unwrap_or_default()
    }
}

impl Setting for Networks {
    const EXPECTED: &'static str = "up to 64 IP networks such as 10.0.0.0/8, separated by commas";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Setting for MinVersion {
    const EXPECTED: &'static str = "\"1.2\" or \"1.3\"";

    fn read(text: &str) -> Option<Self> {
        [Self::Tls12, Self::Tls13].into_iter().find(|version| version.write() == text)
    }

    fn write(&self) -> String {
        match self {
            Self::Tls12 => "1.2".to_owned(),
            Self::Tls13 => "1.3".to_owned(),
        }
    }
}

impl Setting for ClientCertificates {
    const EXPECTED: &'static str = "\"off\", \"optional\" or \"required\"";

    fn read(text: &str) -> Option<Self> {
        [Self::Off, Self::Optional, Self::Required].into_iter().find(|value| value.write() == text)
    }

    fn write(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Optional => "optional".to_owned(),
            Self::Required => "required".to_owned(),
        }
    }
}

impl Setting for CrlExpired {
    const EXPECTED: &'static str = "\"warn\" or \"refuse\"";

    fn read(text: &str) -> Option<Self> {
        [Self::Warn, Self::Refuse].into_iter().find(|value| value.write() == text)
    }

    fn write(&self) -> String {
        match self {
            Self::Warn => "warn".to_owned(),
            Self::Refuse => "refuse".to_owned(),
        }
    }
}
