//! Why the demo cannot be prepared.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::cli::exit::{ExitError, ExitStatus};

/// Why the demo cannot be prepared.
#[derive(Debug, Error)]
pub(super) enum DemoError {
    /// A file or directory cannot be used.
    #[error("cannot {action} {path}", path = path.display())]
    File {
        /// What failed.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory has files that the demo did not make.
    #[error(
        "{path} has files, but not those of a demo; name a new directory with --directory, or empty this one",
        path = path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The path cannot be written into a configuration file.
    #[error("the path {path} is not UTF-8; name another directory with --directory", path = path.display())]
    NotText {
        /// The directory.
        path: PathBuf,
    },
    /// A key or certificate cannot be made.
    #[error("cannot make a key or certificate")]
    Certificate(#[from] rcgen::Error),
}

impl DemoError {
    /// Makes the error of an action on a file.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

impl From<DemoError> for ExitError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::File { .. } | DemoError::Foreign { .. } | DemoError::NotText { .. } => Self::of_files(&error),
            DemoError::Certificate(_) => Self::of(ExitStatus::Internal, &error),
        }
    }
}
