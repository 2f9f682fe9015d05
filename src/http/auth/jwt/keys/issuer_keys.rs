//! The key set in force of one issuer, and the task that reads it again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::super::KeySet;
use super::demand::{Ask, Demand};
use super::source::{KeySource, KeySourceError, Loaded, RESULTS, Source};
use crate::runtime::jitter::jittered;
use crate::runtime::telemetry::{error_chain, names};

/// Time between two reads in the background, unless the server names another one.
const INTERVAL: Duration = Duration::from_mins(5);
/// Bounds on the time that a server names.
const INTERVALS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));
/// Time until the next read after one that failed.
const RETRY: Duration = Duration::from_secs(30);
/// How long a call waits for a read.
const PATIENCE: Duration = Duration::from_secs(2);
/// Maximum number of calls that wait for a read; others are judged by the set in force. A caller needs no valid token to wait.
const MAX_WAITING: usize = 2_000;
/// How long a set stays in force that cannot be read again.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The keys of an issuer. Clones share them.
#[derive(Clone, Debug)]
pub struct IssuerKeys {
    shared: Arc<Shared>,
}

/// A key set in force.
#[derive(Debug)]
pub struct KeysInForce {
    /// The keys.
    pub keys: Arc<KeySet>,
    /// Increases whenever the text of the set changes.
    pub generation: u64,
    /// When the set was last read.
    read: Instant,
    /// SHA-256 of its text.
    digest: [u8; 32],
}

#[derive(Debug)]
struct Shared {
    /// Name of the issuer's entry, for the log and the metrics.
    name: Arc<str>,
    in_force: ArcSwapOption<KeysInForce>,
    demand: Mutex<Demand>,
    /// Wakes the task for a read that a call asked for.
    wake: Notify,
    /// Number of the last read that ended.
    ended: watch::Sender<u64>,
    /// Permits of calls that wait for a read.
    waiting: Semaphore,
}

impl IssuerKeys {
    /// Prepares the source and starts the task that reads it until `end`. A set in a file is read at once; another one may be
    /// unavailable at the start.
    ///
    /// # Errors
    /// The source cannot be used, or its file cannot be read.
    pub async fn start(name: Arc<str>, source: &KeySource, end: CancellationToken) -> Result<Self, KeySourceError> {
        let keys = Self::new(name);
        let source = Source::new(source)?;
        let mut first_read = Duration::ZERO;
        if source.is_local() {
            first_read = keys.shared.replace(source.load().await?, Instant::now());
        } else {
            // Calls that arrive before the task runs wait for its first read instead of causing another one.
            keys.shared.demand().begin();
        }
        let task = Arc::clone(&keys.shared).keep_reading(source, first_read);
        tokio::spawn(end.run_until_cancelled_owned(task));
        Ok(keys)
    }

    /// Without a set and without a task.
    fn new(name: Arc<str>) -> Self {
        metrics::counter!(names::UNKNOWN_KEY_IDS, "issuer" => Arc::clone(&name)).increment(0);
        for result in RESULTS {
            metrics::counter!(names::KEY_SET_READS, "issuer" => Arc::clone(&name), "result" => result).increment(0);
        }
        let shared = Shared {
            name,
            in_force: ArcSwapOption::empty(),
            demand: Mutex::default(),
            wake: Notify::new(),
            ended: watch::Sender::new(0),
            waiting: Semaphore::new(MAX_WAITING),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The set in force; `None` if none was read, or none for a day.
    #[must_use]
    pub fn in_force(&self) -> Option<Arc<KeysInForce>> {
        self.shared.in_force(Instant::now())
    }

    /// The set in force once it has been read again if it lacks a key. Calls cannot cause more than one read in 30 seconds, and
    /// wait for two seconds at most, so the key may still be unknown.
    pub async fn with_key(&self, key_id: Option<&str>) -> Option<Arc<KeysInForce>> {
        let is_known = |set: &Arc<KeysInForce>| set.keys.knows(key_id);
        let set = self.in_force();
        if set.as_ref().is_some_and(is_known) {
            return set;
        }
        if set.is_some() {
            metrics::counter!(names::UNKNOWN_KEY_IDS, "issuer" => Arc::clone(&self.shared.name)).increment(1);
        }
        let Ok(_waiting) = self.shared.waiting.try_acquire() else { return set };
        // A read in progress may have begun before the issuer added the key, so a second one may be needed.
        let reading = async {
            while let Some(number) = self.shared.ask(Instant::now()) {
                let joined = self.shared.ended.subscribe().wait_for(|ended| *ended >= number).await.is_ok();
                if !joined || self.in_force().as_ref().is_some_and(is_known) {
                    return;
                }
            }
        };
        // After the time is up, the old set decides.
        let _ = tokio::time::timeout(PATIENCE, reading).await;
        self.in_force()
    }

    /// Records the age of the set in force.
    pub fn record_age(&self) {
        let set = self.shared.in_force.load();
        let age = set.as_ref().map_or(f64::NAN, |set| set.read.elapsed().as_secs_f64());
        metrics::gauge!(names::KEY_SET_AGE_SECONDS, "issuer" => Arc::clone(&self.shared.name)).set(age);
    }
}

impl Shared {
    fn in_force(&self, now: Instant) -> Option<Arc<KeysInForce>> {
        self.in_force.load_full().filter(|set| now.saturating_duration_since(set.read) < MAX_AGE)
    }

    /// Asks for a read on behalf of a call, and returns its number.
    fn ask(&self, now: Instant) -> Option<u64> {
        match self.demand().ask(now) {
            Ask::Begun(number) => {
                self.wake.notify_one();
                Some(number)
            }
            Ask::Joined(number) => Some(number),
            Ask::Refused => None,
        }
    }

    fn demand(&self) -> std::sync::MutexGuard<'_, Demand> {
        self.demand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the set forever, first after a pause.
    async fn keep_reading(self: Arc<Self>, source: Source, mut pause: Duration) {
        loop {
            let next = tokio::time::sleep(pause);
            tokio::pin!(next);
            // Notifications for reads that have ended are left over.
            while !self.demand().is_pending() {
                tokio::select! {
                    () = &mut next => self.demand().begin(),
                    () = self.wake.notified() => {}
                }
            }
            pause = self.apply(source.load().await);
            let number = self.demand().end();
            self.ended.send_replace(number);
        }
    }

    /// Puts a set into force, or keeps the last one. Returns the time until the next read.
    fn apply(&self, loaded: Result<Loaded, KeySourceError>) -> Duration {
        let count = |result: &'static str| {
            metrics::counter!(names::KEY_SET_READS, "issuer" => Arc::clone(&self.name), "result" => result)
                .increment(1);
        };
        match loaded {
            Ok(loaded) => {
                count("ok");
                self.replace(loaded, Instant::now())
            }
            Err(error) => {
                count(error.result());
                let (issuer, in_force) = (&*self.name, self.in_force(Instant::now()).is_some());
                let error = error_chain(&error);
                if in_force {
                    tracing::warn!(issuer, error, "cannot read the key set; the last one stays in force");
                } else {
                    tracing::warn!(issuer, error, "cannot read the key set; no token of the issuer is accepted");
                }
                jittered(RETRY)
            }
        }
    }

    /// Puts a set into force. Returns the time until the next read.
    fn replace(&self, Loaded { keys, json, max_age, .. }: Loaded, now: Instant) -> Duration {
        let digest: [u8; 32] = Sha256::digest(&json).into();
        let last = self.in_force.load_full();
        let (keys, generation) = match &last {
            Some(last) if last.digest == digest => (Arc::clone(&last.keys), last.generation),
            _ => {
                let generation = last.map_or(1, |last| last.generation + 1);
                let issuer = &*self.name;
                for (key, reason) in keys.skipped() {
                    tracing::info!(issuer, key, %reason, "a key of the set is skipped");
                }
                tracing::info!(issuer, generation, keys = keys.usable(), "the key set of the issuer has changed");
                (Arc::new(keys), generation)
            }
        };
        self.in_force.store(Some(Arc::new(KeysInForce { keys, generation, read: now, digest })));
        let (min, max) = INTERVALS;
        jittered(max_age.map_or(INTERVAL, |max_age| max_age.clamp(min, max)))
    }
}

#[cfg(test)]
mod tests;
