//! How a command ends: an exit code for supervisors and a one-line message for people.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use super::tail::TailError;
use crate::config::ConfigError;
use crate::config::templates::TemplateError;
use crate::runtime::telemetry::error_chain;
use crate::runtime::tls::TlsError;

/// The cause of a failure, with an exit code, mostly of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// 1: `cmgate doctor` found a fault, or `cmgate templates diff` a difference.
    Faults,
    /// 64: the configuration or the command line is wrong; a restart does not help.
    Usage,
    /// 69: a dependency is unavailable; a restart may help.
    Unavailable,
    /// 70: a defect of the service.
    Internal,
    /// 77: credentials or rights are insufficient.
    Denied,
}

impl ExitStatus {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Faults => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Denied => 77,
        }
    }
}

/// Whether the rights to a file do not suffice.
pub(super) fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Why a command failed.
#[derive(Debug)]
pub struct ExitError {
    /// The exit code.
    pub status: ExitStatus,
    /// One-line description of the failure.
    pub message: String,
}

impl ExitError {
    /// An error with this message.
    #[must_use]
    pub fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// An error with the messages of `error` and all its sources.
    #[must_use]
    pub fn of(status: ExitStatus, error: &dyn Error) -> Self {
        Self::new(status, error_chain(error))
    }

    /// An error about files that an operator provides: a wrong configuration, unless the rights to a file do not suffice.
    #[must_use]
    pub fn of_files(error: &(dyn Error + 'static)) -> Self {
        let (mut status, mut cause) = (ExitStatus::Usage, Some(error));
        while let Some(error) = cause {
            if error.downcast_ref::<io::Error>().is_some_and(is_denied) {
                status = ExitStatus::Denied;
            }
            cause = error.source();
        }
        Self::of(status, error)
    }

    /// Prints the error to standard error and returns its exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        // If standard error is closed, the exit code is enough.
        let _ = writeln!(io::stderr(), "cmgate: {}", self.message);
        ExitCode::from(self.status.code())
    }
}

impl From<ConfigError> for ExitError {
    fn from(error: ConfigError) -> Self {
        Self::of_files(&error)
    }
}

impl From<TemplateError> for ExitError {
    fn from(error: TemplateError) -> Self {
        Self::of_files(&error)
    }
}

impl From<TlsError> for ExitError {
    fn from(error: TlsError) -> Self {
        Self::of_files(&error)
    }
}

impl From<TailError> for ExitError {
    fn from(error: TailError) -> Self {
        let status = match &error {
            TailError::UnknownShard { .. } => ExitStatus::Usage,
            TailError::Store(error) if error.is_transient() => ExitStatus::Unavailable,
            TailError::Store(_) | TailError::Output(_) | TailError::Contract(_) | TailError::Undecodable { .. } => {
                ExitStatus::Internal
            }
        };
        Self::of(status, &error)
    }
}
