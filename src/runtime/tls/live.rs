//! The TLS configuration in force, and its replacement when the files change.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::error::TlsError;
use super::expiry::{self, Expiry};
use super::files::Files;
use super::generation::{Generation, unix_time};
use super::settings::TlsSettings;
use crate::runtime::clock::Clock;
use crate::runtime::hangup::Hangups;
use crate::runtime::telemetry::{LineLimit, error_chain, names};
use rustls::pki_types::UnixTime;

/// How long the files must stay unchanged before they are used: a file may be read while it is written.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// TLS of a port. Clones share it.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: TlsSettings,
    clock: Clock,
    live: ArcSwap<Generation>,
    /// The last failure to reload, which is logged once.
    failure: Mutex<Option<String>>,
    recorded: Mutex<Vec<Expiry>>,
    refusals: Arc<LineLimit>,
}

/// What a check of the files found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    Unchanged,
    /// The files change at this moment.
    Unsettled,
    /// A configuration with this number is in force.
    Applied(u64),
}

impl Tls {
    /// Reads the files. This blocks.
    ///
    /// # Errors
    /// A file cannot be used; the error names its key and its path.
    pub fn load(settings: TlsSettings, clock: Clock) -> Result<Self, TlsError> {
        let refusals = Arc::new(LineLimit::default());
        let first = Generation::build(1, &Files::read(&settings)?, &settings, &clock, &refusals)?;
        let live = ArcSwap::from_pointee(first);
        let (failure, recorded) = (Mutex::default(), Mutex::default());
        let tls = Self(Arc::new(Shared { settings, clock, live, failure, recorded, refusals }));
        tls.warn_of_expired();
        Ok(tls)
    }

    /// Reads the files again at each SIGHUP and whenever their content changed, for as long as it is polled. Files that cannot
    /// be used leave the configuration in force as it is, and are tried again.
    pub async fn watch(self, mut hangups: Hangups) {
        loop {
            let is_asked = tokio::select! {
                () = tokio::time::sleep(self.0.settings.reload_interval) => false,
                () = hangups.next() => true,
            };
            let tls = self.clone();
            let reloading = tokio::task::spawn_blocking(move || tls.reload_and_log(is_asked));
            if let Err(error) = reloading.await {
                tracing::error!(%error, "the TLS files could not be checked");
            }
        }
    }

    /// Sets the metrics of the certificates and CRLs in force.
    pub fn record_expiry(&self) {
        let mut recorded = self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        expiry::record(self.0.settings.port, &self.current().expiries, &mut recorded, self.0.clock.now());
    }

    /// When the certificates and CRLs in force expire.
    #[must_use]
    pub fn expiries(&self) -> Vec<Expiry> {
        self.current().expiries.clone()
    }

    /// The configuration in force.
    pub(crate) fn current(&self) -> Arc<Generation> {
        self.0.live.load_full()
    }

    pub(crate) fn settings(&self) -> &TlsSettings {
        &self.0.settings
    }

    /// The time of the service's clock.
    pub(crate) fn now(&self) -> UnixTime {
        unix_time(&self.0.clock)
    }

    /// Applies the files if their content changed. This blocks.
    pub(crate) fn reload(&self) -> Result<Reloaded, TlsError> {
        let shared = &*self.0;
        let current = self.current();
        let seen = Files::read(&shared.settings)?.digest();
        if seen == current.digest {
            return Ok(Reloaded::Unchanged);
        }
        thread::sleep(SETTLE_TIME);
        let files = Files::read(&shared.settings)?;
        if files.digest() != seen {
            return Ok(Reloaded::Unsettled);
        }
        let number = current.number + 1;
        let next = Generation::build(number, &files, &shared.settings, &shared.clock, &shared.refusals)?;
        shared.live.store(Arc::new(next));
        Ok(Reloaded::Applied(number))
    }

    fn reload_and_log(&self, is_asked: bool) {
        let section = self.0.settings.port.section();
        let reloaded = self.reload();
        let mut failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match reloaded {
            Ok(Reloaded::Unchanged) if is_asked => tracing::info!("{section}: the files are unchanged"),
            Ok(Reloaded::Unchanged | Reloaded::Unsettled) => {}
            Ok(Reloaded::Applied(generation)) => {
                self.count("applied");
                tracing::info!(generation, "{section}: the changed files are in force");
                self.warn_of_expired();
            }
            Err(error) => {
                self.count("failed");
                let problem = error_chain(&error);
                if is_asked || failure.as_ref() != Some(&problem) {
                    tracing::error!("{problem}; the previous {section} files stay in force");
                }
                *failure = Some(problem);
                return;
            }
        }
        *failure = None;
    }

    fn count(&self, result: &'static str) {
        let port = self.0.settings.port.label();
        metrics::counter!(names::TLS_RELOADS, "port" => port, "result" => result).increment(1);
    }

    /// An expired file is used nevertheless: the service would not be safer without it.
    fn warn_of_expired(&self) {
        let now = self.0.clock.now();
        for Expiry { kind, name, at, .. } in self.current().expiries.iter().filter(|expiry| expiry.at < now) {
            let (section, kind) = (self.0.settings.port.section(), kind.label());
            tracing::warn!(kind, name, expired = %at.utc(), "{section}: expired");
        }
    }
}
