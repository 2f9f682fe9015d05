//! How the two ports are protected.

use super::exit::ExitError;
use super::settings::Settings;
use crate::http::server::Security;
use crate::runtime::clock::Clock;
use crate::runtime::hangup::Hangups;
use crate::runtime::shutdown::Shutdown;
use crate::runtime::tls::{Tls, TlsSettings};

/// TLS of both ports; `None` for a port without.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    pub(super) public: Option<Tls>,
    pub(super) private: Option<Tls>,
}

impl Ports {
    /// Reads the TLS files. This blocks.
    pub(super) fn load(settings: &Settings, clock: &Clock) -> Result<Self, ExitError> {
        let load = |settings: &Option<TlsSettings>| {
            settings.clone().map(|settings| Tls::load(settings, clock.clone())).transpose()
        };
        Ok(Self { public: load(&settings.tls)?, private: load(&settings.admin_tls)? })
    }

    /// The protection of gRPC and REST.
    pub(super) fn public(&self, settings: &Settings) -> Security {
        match &self.public {
            Some(tls) => Security::Tls(tls.clone()),
            None if settings.terminated.is_empty() => Security::Plain,
            None => Security::Terminated(settings.terminated.clone()),
        }
    }

    /// The protection of health and metrics.
    pub(super) fn private(&self) -> Security {
        self.private.clone().map_or(Security::Plain, Security::Tls)
    }

    /// Follows changes of the files until shutdown.
    pub(super) fn watch(&self, hangups: &Hangups, shutdown: &Shutdown) {
        for tls in [&self.public, &self.private].into_iter().flatten() {
            let watch = tls.clone().watch(hangups.clone());
            tokio::spawn(shutdown.hard().clone().run_until_cancelled_owned(watch));
        }
    }

    /// Sets the metrics of certificates and CRLs.
    pub(super) fn record_expiry(&self) {
        for tls in [&self.public, &self.private].into_iter().flatten() {
            tls.record_expiry();
        }
    }
}
