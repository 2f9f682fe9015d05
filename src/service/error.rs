//! Errors of the use cases: refusals, which the caller causes, and failures of the service.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::TryAcquireError;
use tokio::sync::mpsc::error::TrySendError;

use super::limits::Exceeded;
use crate::domain::{ErrorKind, FieldViolation, Refusal};
use crate::store::StoreError;

/// Why a use case failed. `Display` is the message to the caller; the source goes to the log only.
#[derive(Debug, Error)]
pub enum Error {
    /// The domain refused the call.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A queue or the memory for calls is full.
    #[error("the service is overloaded; retry later")]
    Overloaded,
    /// The caller exceeds one of its limits; nothing has changed.
    #[error(transparent)]
    CallerLimit(#[from] Exceeded),
    /// The deadline passed before processing started; nothing has changed.
    #[error("the deadline passed before processing started; nothing has changed")]
    DeadlineExceeded,
    /// The service is stopping; nothing has changed.
    #[error("the service is stopping; try again")]
    Stopping,
    /// The database is unreachable, or refuses access or writes.
    #[error("the database is not available; nothing has changed, try again")]
    Unavailable(#[source] Arc<StoreError>),
    /// Others held a lock or all connections for too long.
    #[error("the database is busy; nothing has changed, try again")]
    Busy(#[source] Arc<StoreError>),
    /// The connection to the database was lost or timed out during a commit.
    #[error("the outcome of the call is not known; repeat it with the same idempotency key to learn it")]
    OutcomeUnknown(#[source] Arc<StoreError>),
    /// A defect of the service or of the stored data.
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
            Self::CallerLimit(_) => ErrorKind::CallerLimit,
            Self::DeadlineExceeded => ErrorKind::DeadlineExceeded,
            Self::Stopping | Self::Unavailable(_) | Self::Busy(_) | Self::OutcomeUnknown(_) => ErrorKind::Unavailable,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// Stable, machine-readable name of the reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Overloaded => "OVERLOADED",
            Self::CallerLimit(_) => "CALLER_LIMIT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Stopping => "STOPPING",
            Self::Unavailable(_) => "DATABASE_UNAVAILABLE",
            Self::Busy(_) => "DATABASE_BUSY",
            Self::OutcomeUnknown(_) => "OUTCOME_UNKNOWN",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The wrong fields, if that is the reason.
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
    /// The callers of a failed batch share its error.
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

/// A worker's queue that is full or closed.
impl<T> From<TrySendError<T>> for Error {
    fn from(error: TrySendError<T>) -> Self {
        match error {
            TrySendError::Full(_) => Self::Overloaded,
            TrySendError::Closed(_) => Self::Stopping,
        }
    }
}

/// Places that are all taken, or closed.
impl From<TryAcquireError> for Error {
    fn from(error: TryAcquireError) -> Self {
        match error {
            TryAcquireError::NoPermits => Self::Overloaded,
            TryAcquireError::Closed => Self::Stopping,
        }
    }
}
