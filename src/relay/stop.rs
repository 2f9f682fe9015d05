//! How a session ends, and what makes a step end it.

use std::error::Error;

use super::halt::Halt;
use super::kafka::{KafkaFailure, KafkaSettings};
use crate::store::StoreError;

/// How a session ended.
pub(super) enum Ended {
    /// The service drains, and everything in the log is published.
    Drained,
    /// The worker no longer holds the lock of its group.
    LockLost,
    /// A connection to Kafka was lost during a commit that succeeded, so the next session fences again.
    Reconnected,
    /// The fence is due for renewal.
    FenceRenewal,
    /// Something contradicts the guarantee.
    Halted(Halt),
    /// A step failed; the next session reads from the topic what was published.
    Failed {
        /// What failed.
        error: Box<dyn Error + Send + Sync>,
        /// Whether the session had committed a transaction before.
        published: bool,
    },
}

/// Why a step ends its session.
pub(super) enum Stop {
    Halt(Halt),
    /// A later session, or an operator, owns the checkpoints now.
    CheckpointFenced,
    Kafka(KafkaFailure),
    Store(StoreError),
}

impl Stop {
    pub(super) fn ended(self, published: bool, kafka: &KafkaSettings) -> Ended {
        match self {
            Self::Halt(halt) => Ended::Halted(halt),
            Self::CheckpointFenced => {
                Ended::Failed { error: "another session or an operator took over the checkpoints".into(), published }
            }
            Self::Kafka(KafkaFailure::FenceRenewal) => Ended::FenceRenewal,
            Self::Kafka(failure) => match Halt::for_failure(&failure, kafka) {
                Some(halt) => Ended::Halted(halt),
                None => Ended::Failed { error: failure.into(), published },
            },
            Self::Store(error) => Ended::Failed { error: error.into(), published },
        }
    }
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<KafkaFailure> for Stop {
    fn from(failure: KafkaFailure) -> Self {
        Self::Kafka(failure)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
