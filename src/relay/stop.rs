//! How a session ends, and why a step of it stops it.

use std::error::Error;

use super::halt::Halt;
use crate::kafka::{KafkaFailure, KafkaSettings};
use crate::store::StoreError;

/// How a session ended.
pub(super) enum Ended {
    /// The service stops, and everything in the log is on the topic, or had its chance.
    Drained,
    /// The lock is lost.
    Overtaken,
    /// Kafka was away for a moment during a commit that succeeded; the next session has to fence anew.
    Reconnected,
    /// Something contradicts the guarantee.
    Halted(Halt),
    /// Something failed; the next session finds out what is on the topic.
    Failed {
        /// What failed.
        error: Box<dyn Error + Send + Sync>,
        /// Whether the session had published something before.
        published: bool,
    },
}

/// Why a step of a session stops it.
pub(super) enum Stop {
    Halt(Halt),
    /// A later session or an operator has taken over the checkpoints; begin anew and see why.
    Overruled,
    Kafka(KafkaFailure),
    Store(StoreError),
}

impl Stop {
    pub(super) fn ended(self, published: bool, kafka: &KafkaSettings) -> Ended {
        match self {
            Self::Halt(halt) => Ended::Halted(halt),
            Self::Overruled => Ended::Failed { error: "the checkpoints were taken over".into(), published },
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
