//! Files that are read again when they change. Files that cannot be used leave the last good content in force.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::JoinError;

use super::hangup::Hangups;
use super::telemetry::error_chain;

/// How long changed files must stay unchanged before they are used: they may be read while they are written.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// Reads files and builds content from them.
pub(crate) trait Source: Send + Sync + 'static {
    /// The files as read.
    type Files;
    /// What they contain.
    type Content: Send + Sync + 'static;
    /// Why they cannot be used.
    type Error: Error;

    /// Reads the files. Blocks.
    fn read(&self) -> Result<Self::Files, Self::Error>;

    /// SHA-256 of the files.
    fn digest(files: &Self::Files) -> [u8; 32];

    /// Builds the content; `generation` counts the contents from 1.
    fn build(&self, generation: u64, files: &Self::Files) -> Result<Self::Content, Self::Error>;

    /// Logs and counts the outcome of a check.
    fn report(&self, outcome: Outcome<'_, Self::Content>);
}

/// The outcome of a check that an operator may want to know.
#[derive(Debug)]
pub(crate) enum Outcome<'a, C> {
    /// The files are unchanged, although SIGHUP asked to read them.
    Unchanged,
    /// The changed files are in force.
    Applied(&'a InForce<C>),
    /// The changed files cannot be used.
    Failed {
        /// Why.
        problem: &'a str,
        /// Whether to log it: a problem that lasts is logged once, and again at each SIGHUP.
        is_logged: bool,
    },
    /// The check itself failed.
    Aborted(&'a JoinError),
}

/// The content in force.
#[derive(Debug)]
pub struct InForce<C> {
    /// What the files contain.
    pub content: Arc<C>,
    /// Increases with every change.
    pub generation: u64,
    /// SHA-256 of the files.
    digest: [u8; 32],
}

/// What a check of the files found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    Unchanged,
    /// The files change at this moment.
    Unsettled,
    /// The content of this generation is in force.
    Applied(u64),
}

/// Files and their content.
#[derive(Debug)]
pub(crate) struct Reloading<S: Source> {
    source: S,
    in_force: ArcSwap<InForce<S::Content>>,
    /// When the files were last found to have the content in force.
    confirmed: Mutex<Instant>,
    /// The last failure.
    failure: Mutex<Option<String>>,
}

impl<S: Source> Reloading<S> {
    /// Reads the files for the first time. Blocks.
    pub(crate) fn load(source: S) -> Result<Self, S::Error> {
        let files = source.read()?;
        let content = Arc::new(source.build(1, &files)?);
        let in_force = ArcSwap::from_pointee(InForce { content, generation: 1, digest: S::digest(&files) });
        Ok(Self { source, in_force, confirmed: Mutex::new(Instant::now()), failure: Mutex::default() })
    }

    pub(crate) const fn source(&self) -> &S {
        &self.source
    }

    /// The content in force.
    pub(crate) fn in_force(&self) -> Arc<InForce<S::Content>> {
        self.in_force.load_full()
    }

    /// The content in force without its generation.
    pub(crate) fn content(&self) -> Arc<S::Content> {
        Arc::clone(&self.in_force.load().content)
    }

    /// Time since the content in force was last confirmed.
    pub(crate) fn age(&self) -> Duration {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Reads the files at each SIGHUP and at this interval, for as long as it is polled.
    pub(crate) async fn watch(self: Arc<Self>, interval: Duration, mut hangups: Hangups) {
        loop {
            let is_asked = tokio::select! {
                () = tokio::time::sleep(interval) => false,
                () = hangups.next() => true,
            };
            let files = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || files.reload_and_report(is_asked)).await {
                self.source.report(Outcome::Aborted(&error));
            }
        }
    }

    /// Applies the files if they changed. Blocks.
    pub(crate) fn reload(&self) -> Result<Reloaded, S::Error> {
        let current = self.in_force();
        let seen = S::digest(&self.source.read()?);
        if seen == current.digest {
            self.confirm();
            return Ok(Reloaded::Unchanged);
        }
        thread::sleep(SETTLE_TIME);
        let files = self.source.read()?;
        if S::digest(&files) != seen {
            return Ok(Reloaded::Unsettled);
        }
        let generation = current.generation + 1;
        let content = Arc::new(self.source.build(generation, &files)?);
        self.in_force.store(Arc::new(InForce { content, generation, digest: seen }));
        self.confirm();
        Ok(Reloaded::Applied(generation))
    }

    fn confirm(&self) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn reload_and_report(&self, is_asked: bool) {
        let reloaded = self.reload();
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match reloaded {
            Ok(Reloaded::Unchanged) if is_asked => self.source.report(Outcome::Unchanged),
            Ok(Reloaded::Unchanged | Reloaded::Unsettled) => {}
            Ok(Reloaded::Applied(_)) => self.source.report(Outcome::Applied(&self.in_force())),
            Err(error) => {
                let problem = error_chain(&error);
                let is_logged = is_asked || failure.as_ref() != Some(&problem);
                self.source.report(Outcome::Failed { problem: &problem, is_logged });
                *failure = Some(problem);
                return;
            }
        }
        *failure = None;
    }
}
