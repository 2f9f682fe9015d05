//! The configuration: one tree of settings from defaults, a TOML file and the environment, in rising precedence.
//!
//! Every value is parsed and checked at load time, so a wrong value stops the process before it listens. Secrets are masked
//! wherever the tree is shown.

pub mod templates;

mod account;
mod auth;
mod cors;
mod database;
mod duration;
mod environment;
mod error;
mod kafka;
mod limits;
mod list;
mod load;
mod log;
mod properties;
mod rest;
mod secret_file;
mod setting;
mod tls;
mod url;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use error::{Invalid, require};
use setting::Setting;

pub use account::{Administrators, Development, Service};
pub use auth::{
    Auth, CaName, CertificateCaller, CertificateEntry, CertificateSource, DEMO_ISSUER, JwtEntry, KeySetSource,
    NegotiateEntry, ProxyEntry, ProxyName, UserClaims, UserHeaders,
};
pub use cors::Cors;
pub use database::{Database, DatabaseKind, DatabaseUrl};
pub use environment::ignored_variables;
pub use error::{ConfigError, ConfigErrors};
pub use kafka::{Kafka, Publish};
pub use limits::{CallerLimitEntry, CallerLimits, GeneralCallerLimits, Idempotency, Limits, Shutdown, Writer};
pub use list::List;
pub use log::{Log, LogFormat};
pub use properties::{Properties, PropertyFiles};
pub use rest::Rest;
pub use tls::{AdminTls, ClientCertificates, CrlExpired, OptionalPath, Tls};
pub use url::HttpUrl;

/// The whole configuration. `deploy/config.example.toml` shows it as a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `development` or `production`. Production requires real brokers and Postgres, and has some other defaults. Default: `development`.
    #[serde(with = "setting")]
    pub mode: Mode,
    /// Address of gRPC and REST. Default: `127.0.0.1:8080`.
    #[serde(with = "setting")]
    pub listen: SocketAddr,
    /// Unix socket of gRPC and REST for the trusted proxy of `[auth.proxy]`. Default: empty, none.
    #[serde(with = "setting")]
    pub listen_unix: OptionalPath,
    /// Address of health and metrics. Default: `127.0.0.1:9090`.
    #[serde(with = "setting")]
    pub admin_listen: SocketAddr,
    /// File with the tokens for metrics and the details of readiness, one per line. Default: empty, no token is needed.
    #[serde(with = "setting")]
    pub admin_token_file: OptionalPath,
    /// Directory of the profile templates, one per `*.toml`. Default: `deploy/templates`.
    #[serde(with = "setting")]
    pub templates: PathBuf,
    /// Whether templates that equal an older stored version replace the newest one, instead of leaving it in force. Default: `false`.
    #[serde(deserialize_with = "setting::deserialize")]
    pub templates_rollback: bool,
    /// TLS of gRPC and REST.
    pub tls: Tls,
    /// TLS of health and metrics.
    pub admin_tls: AdminTls,
    /// The database of requests and of the event log.
    pub database: Database,
    /// The topic of the events.
    pub kafka: Kafka,
    /// How callers prove their identity.
    pub auth: Auth,
    /// The caller of the development mode, as long as `auth` is empty.
    pub development: Development,
    /// The service's own account.
    pub service: Service,
    /// Browsers of other origins.
    pub cors: Cors,
    /// Compatibility of the legacy REST API.
    pub rest: Rest,
    /// Idempotency keys.
    pub idempotency: Idempotency,
    /// Limits of calls and connections.
    pub limits: Limits,
    /// How commands are batched into transactions.
    pub writer: Writer,
    /// How the service stops.
    pub shutdown: Shutdown,
    /// The log.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Development,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            listen_unix: OptionalPath::default(),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            admin_token_file: OptionalPath::default(),
            templates: PathBuf::from("deploy/templates"),
            templates_rollback: false,
            tls: Tls::default(),
            admin_tls: AdminTls::default(),
            database: Database::default(),
            kafka: Kafka::default(),
            auth: Auth::default(),
            development: Development::default(),
            service: Service::default(),
            cors: Cors::default(),
            rest: Rest::default(),
            idempotency: Idempotency::default(),
            limits: Limits::default(),
            writer: Writer::default(),
            shutdown: Shutdown::default(),
            log: Log::default(),
        }
    }
}

/// What the process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Trying things out on one machine.
    Development,
    /// Real requests.
    Production,
}

impl Mode {
    /// The name as in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl Setting for Mode {
    const EXPECTED: &'static str = "\"development\" or \"production\"";

    fn read(text: &str) -> Option<Self> {
        [Self::Development, Self::Production].into_iter().find(|mode| mode.name() == text)
    }

    fn write(&self) -> String {
        self.name().to_owned()
    }
}

impl Config {
    /// The configuration as a TOML file, with secrets masked. Of a secret from a file, it has the path.
    ///
    /// # Errors
    /// None in practice: every value has a form in TOML.
    pub fn render(&self) -> Result<String, toml::ser::Error> {
        let mut table = toml::Table::try_from(self)?;
        secret_file::omit_values(&mut table);
        toml::to_string(&table)
    }

    /// Whether callers need no proof: in development mode, until a way to prove an identity is configured.
    #[must_use]
    pub fn trusts_everyone(&self) -> bool {
        match self.mode {
            Mode::Development => self.auth.is_empty(),
            Mode::Production => false,
        }
    }

    /// The first problem of each section and of each rule across sections.
    fn problems(&self) -> Vec<Invalid> {
        let checks = [
            self.tls.check(),
            self.admin_tls.check(),
            self.check_encryption(),
            self.check_addresses(),
            self.database.check(),
            self.kafka.check(),
            self.auth.check(self.mode, self.tls.pair().is_some()),
            self.check_proxy(),
            self.development.check(),
            self.cors.check(),
            self.rest.check(),
            self.idempotency.check(),
            self.limits.check(),
            self.writer.check(),
            self.shutdown.check(),
            self.log.check(),
            self.check_brokers(),
            self.database.check_for(self.mode),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn check_brokers(&self) -> Result<(), Invalid> {
        let has_broker = self.mode == Mode::Development || self.kafka.brokers().is_some();
        require(has_broker, "kafka.brokers", "is required in production, such as host1:9092,host2:9092")
    }

    /// Client certificates must be asked for if they identify anybody, and the proxy must have a way to connect.
    fn check_proxy(&self) -> Result<(), Invalid> {
        let asks = self.tls.client_certificates != ClientCertificates::Off || !self.auth.needs_client_certificates();
        let problem =
            "must be \"optional\" or \"required\" with entries in auth.certificate, and with auth.proxy.certificate";
        require(asks, "tls.client_certificates", problem)?;
        let has_socket = self.listen_unix.0.is_some();
        let Some(proxy) = &self.auth.proxy else {
            return require(!has_socket, "listen_unix", "is the address of the trusted proxy: it needs [auth.proxy]");
        };
        let is_reachable = has_socket || proxy.certificate.is_some();
        require(is_reachable, "auth.proxy.certificate", "is required without listen_unix: the proxy could not connect")
    }

    /// In production, calls from other machines must be encrypted up to a proxy at least.
    fn check_encryption(&self) -> Result<(), Invalid> {
        let is_safe =
            self.mode == Mode::Development || self.listen.ip().to_canonical().is_loopback() || self.tls.protects();
        let problem = format!(
            "is {listen}, which other machines reach: set tls.certificate and tls.key, or, if a proxy terminates TLS, its \
             network in tls.terminated",
            listen = self.listen
        );
        require(is_safe, "listen", problem)
    }

    fn check_addresses(&self) -> Result<(), Invalid> {
        let is_apart = self.listen != self.admin_listen || self.listen.port() == 0;
        require(is_apart, "admin_listen", format!("must differ from listen, {}", self.listen))?;
        if !self.trusts_everyone() {
            return Ok(());
        }
        for (path, address) in [("listen", self.listen), ("admin_listen", self.admin_listen)] {
            let problem = format!(
                "must be a loopback address such as 127.0.0.1:{}, not {address}: without an entry in auth, callers need no \
                 proof, so only this machine may connect",
                address.port()
            );
            require(address.ip().is_loopback(), path, problem)?;
        }
        Ok(())
    }
}
