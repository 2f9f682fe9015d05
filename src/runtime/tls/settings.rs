//! The settings of TLS on a port.

use std::path::PathBuf;
use std::time::Duration;

/// TLS of a port. All files are PEM; CRLs may also be DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The port.
    pub port: TlsPort,
    /// The certificate chain of the server, its own certificate first.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
    /// The oldest version that is accepted.
    pub min_version: MinVersion,
    /// Client certificates; `None` if the server does not ask for them.
    pub clients: Option<ClientSettings>,
    /// How often the files are checked for changes.
    pub reload_interval: Duration,
}

/// Client certificates of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// The CAs whose certificates are accepted.
    pub ca: PathBuf,
    /// The CRLs of these CAs, and of all intermediate CAs.
    pub crl: Option<PathBuf>,
    /// The files by which rules name CAs; see [`Authority::files`](super::Authority::files).
    pub rule_cas: Vec<RuleCa>,
    /// Whether calls without a client certificate are refused.
    pub is_required: bool,
    /// Whether an expired CRL refuses the certificates of its CA.
    pub refuses_expired_crl: bool,
}

/// A file with the CAs that a rule applies to. It is read and replaced with the other files, so that a rule follows a new CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCa {
    /// The key of the configuration that names the file.
    pub key: String,
    /// The file.
    pub path: PathBuf,
}

/// A port with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPort {
    /// gRPC and REST.
    Public,
    /// Health and metrics.
    Admin,
}

/// The oldest accepted version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsPort {
    /// The section of the configuration, for errors.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Public => "tls",
            Self::Admin => "admin_tls",
        }
    }

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}
