//! Why a use case fails: through the caller, or through the service.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::mpsc::error::TrySendError;

use crate::domain::{ErrorKind, FieldViolation, Refusal};
use crate::store::StoreError;

/// Why a use case failed. `Display` is what the caller reads; the source is for the log alone.
#[derive(Debug, Error)]
pub enum Error {
    /// The caller asked for something that cannot be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More is waiting to be written than the service holds.
    #[error("the service is overloaded; retry later")]
    Overloaded,
    /// The caller's time was over before the command was begun; nothing has changed.
    #[error("the deadline passed before the call was begun; nothing has changed")]
    DeadlineExceeded,
    /// The service is stopping; nothing has changed.
    #[error("the service is stopping; try again")]
    Stopping,
    /// The database is away.
    #[error("the database is not available; nothing has changed, try again")]
    Unavailable(#[source] Arc<StoreError>),
    /// Others hold what the call needs.
    #[error("the database is busy; nothing has changed, try again")]
    Busy(#[source] Arc<StoreError>),
    /// The database went away during a commit.
    #[error("the outcome of the call is not known; repeat it with the same idempotency key to learn it")]
    OutcomeUnknown(#[source] Arc<StoreError>),
    /// The service is wrong.
    #[error("the service failed to carry out the call; nothing has changed")]
    Internal(#[source] Arc<StoreError>),
}

impl Error {
    /// The kind of this error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Overloaded => ErrorKind::Overloaded,
            Self::DeadlineExceeded => ErrorKind::DeadlineExceeded,
            Self::Stopping | Self::Unavailable(_) | Self::Busy(_) | Self::OutcomeUnknown(_) => ErrorKind::Unavailable,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// Stable name of the reason, for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Overloaded => "OVERLOADED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Stopping => "STOPPING",
            Self::Unavailable(_) => "DATABASE_UNAVAILABLE",
            Self::Busy(_) => "DATABASE_BUSY",
            Self::OutcomeUnknown(_) => "OUTCOME_UNKNOWN",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The fields that are wrong, if that is the reason.
    #[must_use]
    pub fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Refused(refusal) => refusal.violations(),
            _ => Vec::new(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::from(Arc::new(error))
    }
}

impl From<Arc<StoreError>> for Error {
    /// One failed batch is answered to many callers, who share its error.
    fn from(error: Arc<StoreError>) -> Self {
        match *error {
            StoreError::Unavailable(_) | StoreError::Denied(_) | StoreError::ReadOnly(_) | StoreError::Open { .. } => {
                Self::Unavailable(error)
            }
            StoreError::Busy(_) => Self::Busy(error),
            StoreError::OutcomeUnknown(_) | StoreError::NoAnswer(_) => Self::OutcomeUnknown(error),
            StoreError::Refused(_)
            | StoreError::TooLargeTogether { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Unfit(_)
            | StoreError::Migration(_)
            | StoreError::File { .. } => Self::Internal(error),
        }
    }
}

/// A lane that does not take what it is given.
impl<T> From<TrySendError<T>> for Error {
    fn from(error: TrySendError<T>) -> Self {
        match error {
            TrySendError::Full(_) => Self::Overloaded,
            TrySendError::Closed(_) => Self::Stopping,
        }
    }
}
