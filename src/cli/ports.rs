//! How the two ports are protected.

use super::exit::{ExitError, ExitStatus};
use super::settings::Settings;
use crate::http::admin::{AdminTokens, admin_token_file};
use crate::http::server::Security;
use crate::runtime::clock::Clock;
use crate::runtime::hangup::Hangups;
use crate::runtime::shutdown::Shutdown;
use crate::runtime::tls::{Tls, TlsSettings};
use crate::runtime::watched_file::WatchedFile;

/// TLS of both ports, `None` for a port without, and the tokens of the private port, if it requires any.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    pub(super) public: Option<Tls>,
    pub(super) private: Option<Tls>,
    pub(super) tokens: Option<WatchedFile<AdminTokens>>,
}

impl Ports {
    /// Reads the files. This blocks.
    pub(super) fn load(settings: &Settings, clock: &Clock) -> Result<Self, ExitError> {
        let load = |settings: &Option<TlsSettings>| {
            settings.clone().map(|settings| Tls::load(settings, clock.clone())).transpose()
        };
        let tokens = settings.admin_tokens.clone().map(|path| WatchedFile::load(admin_token_file(path))).transpose();
        let tokens = tokens.map_err(|error| ExitError::of(ExitStatus::Usage, &error))?;
        Ok(Self { public: load(&settings.tls)?, private: load(&settings.admin_tls)?, tokens })
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
    pub(super) fn watch(&self, settings: &Settings, hangups: &Hangups, shutdown: &Shutdown) {
        if let Some(tokens) = &self.tokens {
            let watch = tokens.clone().watch(settings.reload_interval, hangups.clone());
            tokio::spawn(shutdown.hard().clone().run_until_cancelled_owned(watch));
        }
        for tls in [&self.public, &self.private].into_iter().flatten() {
            let watch = tls.clone().watch(hangups.clone());
            tokio::spawn(shutdown.hard().clone().run_until_cancelled_owned(watch));
        }
    }

    /// Sets the metrics of certificates, CRLs and tokens.
    pub(super) fn record_gauges(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.record_age();
        }
        for tls in [&self.public, &self.private].into_iter().flatten() {
            tls.record_expiry();
        }
    }
}
