//! Producer ids and epochs.

use std::fmt;

/// First epoch that is never written with. The coordinator replaces the id at 32,766, and only markers of the same id fence, so the
/// epochs from here on exist to fence all before them.
pub const LAST_EPOCH: i16 = 32_000;

/// Id that the coordinator gives to the producers of a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(i64);

impl ProducerId {
    /// The id with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A producer id with its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Id.
    pub id: ProducerId,
    /// Epoch: each claim gets a higher one.
    pub epoch: i16,
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "producer {} in epoch {}", self.id, self.epoch)
    }
}

/// The producer id of the last session of a lane, as it was recorded before that session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// There was no session yet.
    None,
    /// This id.
    Recorded(ProducerId),
    /// Any: no connection of an earlier owner can be left, because none existed for twice `connections.max.idle.ms`, or because its
    /// process is known to be gone.
    Abandoned,
}
