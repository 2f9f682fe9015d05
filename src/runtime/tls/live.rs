//! The TLS configuration in force, and its replacement when the files change.

use std::sync::{Arc, Mutex, PoisonError};

use super::error::TlsError;
use super::expiry::{self, Expiry};
use super::files::Files;
use super::generation::{Generation, unix_time};
use super::settings::TlsSettings;
use crate::runtime::clock::Clock;
use crate::runtime::hangup::Hangups;
use crate::runtime::reload::{InForce, Outcome, Reloading, Source};
use crate::runtime::telemetry::{LineLimit, names};
use rustls::pki_types::UnixTime;

#[cfg(test)]
pub(crate) use crate::runtime::reload::Reloaded;

/// TLS of a port. Clones share it.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Reloading<TlsFiles>>);

/// The files of a port, and what their configuration needs besides.
#[derive(Debug)]
struct TlsFiles {
    settings: TlsSettings,
    clock: Clock,
    recorded: Mutex<Vec<Expiry>>,
    refusals: Arc<LineLimit>,
}

impl Tls {
    /// Reads the files. This blocks.
    ///
    /// # Errors
    /// A file cannot be used; the error names its key and its path.
    pub fn load(settings: TlsSettings, clock: Clock) -> Result<Self, TlsError> {
        for result in ["applied", "failed"] {
            metrics::counter!(names::TLS_RELOADS, "port" => settings.port.label(), "result" => result).increment(0);
        }
        let files = TlsFiles { settings, clock, recorded: Mutex::default(), refusals: Arc::new(LineLimit::default()) };
        let tls = Self(Arc::new(Reloading::load(files)?));
        tls.0.source().warn_of_expired(&tls.current());
        Ok(tls)
    }

    /// Reads the files again at each SIGHUP and whenever their content changed, for as long as it is polled. Files that cannot
    /// be used leave the configuration in force as it is, and are tried again.
    pub async fn watch(self, hangups: Hangups) {
        let interval = self.settings().reload_interval;
        self.0.watch(interval, hangups).await;
    }

    /// Sets the metrics of the certificates and CRLs in force.
    pub fn record_expiry(&self) {
        let TlsFiles { settings, clock, recorded, .. } = self.0.source();
        let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
        expiry::record(settings.port, &self.current().expiries, &mut recorded, clock.now());
    }

    /// When the certificates and CRLs in force expire.
    #[must_use]
    pub fn expiries(&self) -> Vec<Expiry> {
        self.current().expiries.clone()
    }

    /// The configuration in force.
    pub(crate) fn current(&self) -> Arc<Generation> {
        self.0.content()
    }

    pub(crate) fn settings(&self) -> &TlsSettings {
        &self.0.source().settings
    }

    /// The time of the service's clock.
    pub(crate) fn now(&self) -> UnixTime {
        unix_time(&self.0.source().clock)
    }

    /// Applies the files if their content changed. This blocks.
    #[cfg(test)]
    pub(crate) fn reload(&self) -> Result<Reloaded, TlsError> {
        self.0.reload()
    }
}

impl TlsFiles {
    /// An expired file is used nevertheless: the service would not be safer without it.
    fn warn_of_expired(&self, configuration: &Generation) {
        let now = self.clock.now();
        for Expiry { kind, name, at, .. } in configuration.expiries.iter().filter(|expiry| expiry.at < now) {
            let (section, kind) = (self.settings.port.section(), kind.label());
            tracing::warn!(kind, name, expired = %at.utc(), "{section}: expired");
        }
    }
}

impl Source for TlsFiles {
    type Files = Files;
    type Content = Generation;
    type Error = TlsError;

    fn read(&self) -> Result<Files, TlsError> {
        Files::read(&self.settings)
    }

    fn digest(files: &Files) -> [u8; 32] {
        files.digest()
    }

    fn build(&self, generation: u64, files: &Files) -> Result<Generation, TlsError> {
        Generation::build(generation, files, &self.settings, &self.clock, &self.refusals)
    }

    fn report(&self, outcome: Outcome<'_, Generation>) {
        let (section, port) = (self.settings.port.section(), self.settings.port.label());
        let count = |result: &'static str| {
            metrics::counter!(names::TLS_RELOADS, "port" => port, "result" => result).increment(1);
        };
        match outcome {
            Outcome::Unchanged => tracing::info!("{section}: the files are unchanged"),
            Outcome::Applied(InForce { generation, content, .. }) => {
                count("applied");
                tracing::info!(generation, "{section}: the changed files are in force");
                self.warn_of_expired(content);
            }
            Outcome::Failed { problem, is_logged } => {
                count("failed");
                if is_logged {
                    tracing::error!("{problem}; the previous {section} files stay in force");
                }
            }
            Outcome::Aborted(error) => tracing::error!(%error, "the TLS files could not be checked"),
        }
    }
}
