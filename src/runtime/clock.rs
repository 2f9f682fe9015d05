//! The clock as a value: the system clock, or one that a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::Timestamp;

/// A source of the current time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system clock.
    System,
    /// A time set by hand, in microseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
            Self::System => Timestamp::new(chrono::Utc::now()),
            Self::Manual(micros) => {
                Timestamp::from_micros(micros.load(Ordering::Relaxed)).unwrap_or_else(|| Self::System.now())
            }
        }
    }
}
