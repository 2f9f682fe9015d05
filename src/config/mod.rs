//! The configuration: one tree of settings, read from defaults, a TOML file and the environment, in rising precedence.
//!
//! Every value is parsed and checked when it is loaded, so that what is wrong stops the process before it binds. Values
//! that may hold secrets are masked wherever the tree is shown.

mod database;
mod duration;
mod error;
mod identity;
mod kafka;
mod load;
mod log;
mod properties;
mod rest;
mod text;
mod work;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use error::{Invalid, require};
use text::Setting;

pub use database::{Database, DatabaseKind, DatabaseUrl};
pub use error::ConfigError;
pub use identity::{Administrators, Authentication, AuthenticationKind, Development, Service};
pub use kafka::Kafka;
pub use log::{Log, LogFormat};
pub use properties::Properties;
pub use rest::Rest;
pub use work::{Idempotency, Limits, Shutdown, Writer};

/// The whole configuration. `deploy/config.example.toml` shows it as a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `development` or `production`; some defaults differ, and production wants real brokers. Default: `development`.
    #[serde(with = "text")]
    pub mode: Mode,
    /// Where gRPC and REST are served. Default: `127.0.0.1:8080`.
    #[serde(with = "text")]
    pub listen: SocketAddr,
    /// Where health and metrics are served. Default: `127.0.0.1:9090`.
    #[serde(with = "text")]
    pub admin_listen: SocketAddr,
    /// Directory of the profile templates, one in each `*.toml`. Default: `deploy/templates`.
    #[serde(with = "text")]
    pub templates: PathBuf,
    /// Where requests and the event log are kept.
    pub database: Database,
    /// Where events are published.
    pub kafka: Kafka,
    /// How a caller proves who it is.
    pub authentication: Authentication,
    /// The user whom every caller is taken for.
    pub development: Development,
    /// The service's own account.
    pub service: Service,
    /// What the legacy REST API shows.
    pub rest: Rest,
    /// Repeated calls.
    pub idempotency: Idempotency,
    /// What one caller may ask for.
    pub limits: Limits,
    /// How commands are gathered into transactions.
    pub writer: Writer,
    /// How the service ends.
    pub shutdown: Shutdown,
    /// What the service writes about itself.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Development,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            templates: PathBuf::from("deploy/templates"),
            database: Database::default(),
            kafka: Kafka::default(),
            authentication: Authentication::default(),
            development: Development::default(),
            service: Service::default(),
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

impl Setting for Mode {
    const EXPECTED: &'static str = "\"development\" or \"production\"";

    fn read(text: &str) -> Option<Self> {
        [Self::Development, Self::Production].into_iter().find(|mode| mode.write() == text)
    }

    fn write(&self) -> String {
        match self {
            Self::Development => "development".to_owned(),
            Self::Production => "production".to_owned(),
        }
    }
}

impl Config {
    /// The configuration as a TOML file, with what may be secret masked.
    ///
    /// # Errors
    /// None in practice: every value has a form in TOML.
    pub fn render(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    fn check(&self) -> Result<(), Invalid> {
        self.check_addresses()?;
        self.database.check()?;
        self.kafka.check()?;
        self.development.check()?;
        self.rest.check()?;
        self.idempotency.check()?;
        self.limits.check()?;
        self.writer.check()?;
        self.shutdown.check()?;
        self.log.check()?;
        let has_broker = self.mode == Mode::Development || self.kafka.brokers().is_some();
        require(has_broker, "kafka.brokers", "must be given in production, such as host1:9092,host2:9092")
    }

    fn check_addresses(&self) -> Result<(), Invalid> {
        let is_apart = self.listen != self.admin_listen || self.listen.port() == 0;
        require(is_apart, "admin_listen", format!("must differ from listen, {}", self.listen))?;
        match self.authentication.kind {
            AuthenticationKind::Development => {
                for (path, address) in [("listen", self.listen), ("admin_listen", self.admin_listen)] {
                    let problem = format!(
                        "must be a loopback address such as 127.0.0.1:{}, not {address}: with authentication.kind = \
                         \"development\" every caller is taken for the same user, so no other machine may call",
                        address.port()
                    );
                    require(address.ip().is_loopback(), path, problem)?;
                }
                Ok(())
            }
        }
    }
}
