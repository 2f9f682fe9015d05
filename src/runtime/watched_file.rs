//! A file whose content is read again when it changes. A content that cannot be used leaves the last good one in force.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::file::{self, FileError};
use super::hangup::Hangups;
use super::telemetry::{error_chain, names};

/// How long a changed file must stay unchanged before it is used: it may be read while it is written.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// A file. Clones share its content.
pub struct WatchedFile<T>(Arc<Shared<T>>);

/// Reads the content of a file; an error completes the sentence "the file ...", and never quotes a secret.
pub type Parse<T> = Box<dyn Fn(&[u8]) -> Result<T, String> + Send + Sync>;

/// A file of the configuration.
pub struct FileSettings<T> {
    /// The key of the configuration that names it: in errors, in the log, and as a label of metrics.
    pub key: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Limit on its size, in bytes.
    pub max_bytes: usize,
    /// Reads its content.
    pub parse: Parse<T>,
}

/// The content in force.
#[derive(Debug)]
pub struct InForce<T> {
    /// What was read.
    pub content: T,
    /// Increases with every change.
    pub generation: u64,
    /// SHA-256 of the file.
    digest: [u8; 32],
}

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum WatchedFileError {
    /// It cannot be read.
    #[error("{key}")]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// Why.
        source: FileError,
    },
    /// Its content is not valid.
    #[error("{key}: the file {path} {problem}", path = path.display())]
    Content {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// What a check of the file found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Unchanged,
    /// It changes at this moment.
    Unsettled,
    Applied(u64),
}

struct Shared<T> {
    file: FileSettings<T>,
    in_force: ArcSwap<InForce<T>>,
    /// When the file was last found to have the content in force.
    confirmed: Mutex<Instant>,
    /// The last failure, which is logged once.
    failure: Mutex<Option<String>>,
}

impl<T: Send + Sync + 'static> WatchedFile<T> {
    /// Reads the file. Blocks.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn load(file: FileSettings<T>) -> Result<Self, WatchedFileError> {
        let bytes = file.read()?;
        let first = InForce { content: file.parse(&bytes)?, generation: 1, digest: digest(&bytes) };
        let in_force = ArcSwap::from_pointee(first);
        let (confirmed, failure) = (Mutex::new(Instant::now()), Mutex::default());
        Ok(Self(Arc::new(Shared { file, in_force, confirmed, failure })))
    }

    /// The content in force.
    #[must_use]
    pub fn current(&self) -> Arc<InForce<T>> {
        self.0.in_force.load_full()
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.file.path
    }

    /// Reads the file at each SIGHUP and at this interval, for as long as it is polled.
    pub async fn watch(self, interval: Duration, mut hangups: Hangups) {
        loop {
            let is_asked = tokio::select! {
                () = tokio::time::sleep(interval) => false,
                () = hangups.next() => true,
            };
            let file = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || file.reload_and_log(is_asked)).await {
                tracing::error!(%error, "{}: the file could not be checked", self.0.file.key);
            }
        }
    }

    /// Sets the metric of the time since the content in force was last confirmed; it grows while the file cannot be used.
    pub fn record_age(&self) {
        let age = self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        metrics::gauge!(names::FILE_AGE_SECONDS, "file" => self.0.file.key).set(age.as_secs_f64());
    }

    /// Applies the file if its content changed. Blocks.
    pub(crate) fn reload(&self) -> Result<Checked, WatchedFileError> {
        let shared = &*self.0;
        let current = self.current();
        let seen = digest(&shared.file.read()?);
        if seen == current.digest {
            self.confirm();
            return Ok(Checked::Unchanged);
        }
        thread::sleep(SETTLE_TIME);
        let bytes = shared.file.read()?;
        if digest(&bytes) != seen {
            return Ok(Checked::Unsettled);
        }
        let generation = current.generation + 1;
        let content = shared.file.parse(&bytes)?;
        shared.in_force.store(Arc::new(InForce { content, generation, digest: seen }));
        self.confirm();
        Ok(Checked::Applied(generation))
    }

    fn confirm(&self) {
        *self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn reload_and_log(&self, is_asked: bool) {
        let key = self.0.file.key;
        let reloaded = self.reload();
        let mut failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |result: &'static str| {
            metrics::counter!(names::FILE_RELOADS, "file" => key, "result" => result).increment(1);
        };
        match reloaded {
            Ok(Checked::Unchanged) if is_asked => tracing::info!("{key}: the file is unchanged"),
            Ok(Checked::Unchanged | Checked::Unsettled) => {}
            Ok(Checked::Applied(generation)) => {
                count("applied");
                tracing::info!(generation, "{key}: the changed file is in force");
            }
            Err(error) => {
                count("failed");
                let problem = error_chain(&error);
                if is_asked || failure.as_ref() != Some(&problem) {
                    tracing::error!("{problem}; the last good content stays in force");
                }
                *failure = Some(problem);
                return;
            }
        }
        *failure = None;
    }
}

impl<T> FileSettings<T> {
    fn read(&self) -> Result<Vec<u8>, WatchedFileError> {
        let unreadable = |source| WatchedFileError::Unreadable { key: self.key, source };
        file::read(&self.path, self.max_bytes).map_err(unreadable)
    }

    fn parse(&self, bytes: &[u8]) -> Result<T, WatchedFileError> {
        let wrong = |problem| WatchedFileError::Content { key: self.key, path: self.path.clone(), problem };
        (self.parse)(bytes).map_err(wrong)
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl<T> Clone for WatchedFile<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for WatchedFile<T> {
    /// Omits the content, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFile").field("path", &self.0.file.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn number(path: &Path) -> FileSettings<u32> {
        let parse = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
        FileSettings {
            key: "test.number",
            path: path.to_owned(),
            max_bytes: 8,
            parse: Box::new(move |bytes| parse(bytes).ok_or_else(|| "is not a number".to_owned())),
        }
    }

    #[test]
    fn a_changed_file_is_used_and_a_broken_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("number");
        let missing = WatchedFile::load(number(&path)).unwrap_err();
        assert!(error_chain(&missing).starts_with("test.number: cannot read "), "{missing:?}");
        fs::write(&path, "x").unwrap();
        let broken = WatchedFile::load(number(&path)).unwrap_err().to_string();
        assert_eq!(broken, format!("test.number: the file {} is not a number", path.display()));

        fs::write(&path, "1").unwrap();
        let file = WatchedFile::load(number(&path)).unwrap();
        let in_force = || (file.current().content, file.current().generation);
        assert_eq!(in_force(), (1, 1));
        assert_eq!(file.reload().unwrap(), Checked::Unchanged);
        fs::write(&path, "2").unwrap();
        assert_eq!(file.reload().unwrap(), Checked::Applied(2));
        assert_eq!(in_force(), (2, 2));
        for broken in ["", "y", "123456789"] {
            fs::write(&path, broken).unwrap();
            assert!(file.reload().is_err(), "{broken:?}");
            assert_eq!(in_force(), (2, 2), "{broken:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(file.reload(), Err(WatchedFileError::Unreadable { .. })));
        assert_eq!(in_force(), (2, 2));
        fs::write(&path, "3").unwrap();
        assert_eq!(file.reload().unwrap(), Checked::Applied(3));
    }
}
