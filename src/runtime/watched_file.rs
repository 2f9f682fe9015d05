//! A file whose content is read again when it changes. A content that cannot be used leaves the last good one in force.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::file::{self, FileError};
use super::hangup::Hangups;
use super::reload::{Outcome, Reloading, Source};
use super::telemetry::names;

pub use super::reload::InForce;
#[cfg(test)]
use super::reload::Reloaded;

/// A file. Clones share its content.
pub struct WatchedFile<T: Send + Sync + 'static>(Arc<Reloading<FileSettings<T>>>);

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

impl<T: Send + Sync + 'static> WatchedFile<T> {
    /// Reads the file. Blocks.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn load(file: FileSettings<T>) -> Result<Self, WatchedFileError> {
        for result in ["applied", "failed"] {
            metrics::counter!(names::FILE_RELOADS, "file" => file.key, "result" => result).increment(0);
        }
        Ok(Self(Arc::new(Reloading::load(file)?)))
    }

    /// The content in force.
    #[must_use]
    pub fn current(&self) -> Arc<InForce<T>> {
        self.0.in_force()
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.source().path
    }

    /// Reads the file at each SIGHUP and at this interval, for as long as it is polled.
    pub async fn watch(self, interval: Duration, hangups: Hangups) {
        self.0.watch(interval, hangups).await;
    }

    /// Applies the file if it changed. Blocks.
    #[cfg(test)]
    pub(crate) fn reload(&self) -> Result<Reloaded, WatchedFileError> {
        self.0.reload()
    }

    /// Sets the metric of the time since the content in force was last confirmed; it grows while the file cannot be used.
    pub fn record_age(&self) {
        metrics::gauge!(names::FILE_AGE_SECONDS, "file" => self.0.source().key).set(self.0.age().as_secs_f64());
    }
}

impl<T: Send + Sync + 'static> Source for FileSettings<T> {
    type Files = Vec<u8>;
    type Content = T;
    type Error = WatchedFileError;

    fn read(&self) -> Result<Vec<u8>, WatchedFileError> {
        let unreadable = |source| WatchedFileError::Unreadable { key: self.key, source };
        file::read(&self.path, self.max_bytes).map_err(unreadable)
    }

    fn digest(bytes: &Vec<u8>) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    fn build(&self, _generation: u64, bytes: &Vec<u8>) -> Result<T, WatchedFileError> {
        let wrong = |problem| WatchedFileError::Content { key: self.key, path: self.path.clone(), problem };
        (self.parse)(bytes).map_err(wrong)
    }

    fn report(&self, outcome: Outcome<'_, T>) {
        let key = self.key;
        let count = |result: &'static str| {
            metrics::counter!(names::FILE_RELOADS, "file" => key, "result" => result).increment(1);
        };
        match outcome {
            Outcome::Unchanged => tracing::info!("{key}: the file is unchanged"),
            Outcome::Applied(InForce { generation, .. }) => {
                count("applied");
                tracing::info!(generation, "{key}: the changed file is in force");
            }
            Outcome::Failed { problem, is_logged } => {
                count("failed");
                if is_logged {
                    tracing::error!("{problem}; the last good content stays in force");
                }
            }
            Outcome::Aborted(error) => tracing::error!(%error, "{key}: the file could not be checked"),
        }
    }
}

impl<T: Send + Sync + 'static> Clone for WatchedFile<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for WatchedFile<T> {
    /// Omits the content, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFile").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::runtime::telemetry::error_chain;

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
        let in_force = || (*file.current().content, file.current().generation);
        assert_eq!(in_force(), (1, 1));
        assert_eq!(file.reload().unwrap(), Reloaded::Unchanged);
        fs::write(&path, "2").unwrap();
        assert_eq!(file.reload().unwrap(), Reloaded::Applied(2));
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
        assert_eq!(file.reload().unwrap(), Reloaded::Applied(3));
    }
}
