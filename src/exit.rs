//! How a command ends: with a code that a supervisor can tell apart, and one plain sentence for people.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::tail::TailError;
use crate::telemetry::error_chain;
use crate::templates::TemplateError;

/// What went wrong, by what can be done about it. The codes are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// 64: the configuration or the command line is wrong; starting again does not help.
    Usage,
    /// 69: something that the service needs is away; starting again may help.
    Unavailable,
    /// 70: the service itself failed.
    Internal,
    /// 77: credentials or rights do not suffice.
    Denied,
}

impl FailureKind {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Denied => 77,
        }
    }
}

/// A command that could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// What can be done about it.
    pub kind: FailureKind,
    /// What went wrong, in one line.
    pub message: String,
}

impl Failure {
    /// A failure told in a sentence.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A failure told by an error with all that caused it.
    #[must_use]
    pub fn of(kind: FailureKind, error: &dyn Error) -> Self {
        Self::new(kind, error_chain(error))
    }

    /// Tells the failure on standard error and gives the exit code for it.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        // If standard error is closed, the code alone has to do.
        let _ = writeln!(io::stderr(), "cmgate: {}", self.message);
        ExitCode::from(self.kind.code())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(FailureKind::Usage, &error)
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        Self::of(FailureKind::Usage, &error)
    }
}

impl From<TailError> for Failure {
    fn from(error: TailError) -> Self {
        let kind = match &error {
            TailError::UnknownShard { .. } => FailureKind::Usage,
            TailError::Store(error) if error.is_transient() => FailureKind::Unavailable,
            TailError::Store(_) | TailError::Output(_) | TailError::Contract(_) | TailError::Undecodable { .. } => {
                FailureKind::Internal
            }
        };
        Self::of(kind, &error)
    }
}
