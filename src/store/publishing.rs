//! How the log is published to Kafka.

use super::StoreError;

/// How the log is published to Kafka. Writers of different modes do not fence each other, so a database has one mode for its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// One Kafka transaction per batch.
    Transactions,
    /// Idempotent batches by a producer that has fenced every predecessor.
    Fenced,
}

impl Publishing {
    /// The name as in the configuration and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Fenced => "fenced",
        }
    }

    /// What to do if a database is bound to this mode and the configuration has the other one.
    #[must_use]
    pub fn conflict(self) -> String {
        format!(
            "this database publishes with kafka.publish = \"{0}\", which was bound at its first start and cannot change, because \
             processes of different modes would not keep each other from the topic. Set `kafka.publish` to \"{0}\"",
            self.name()
        )
    }

    pub(super) fn read(name: &str) -> Result<Self, StoreError> {
        let known = [Self::Transactions, Self::Fenced].into_iter().find(|publishing| publishing.name() == name);
        known.ok_or_else(|| StoreError::corrupt("relay_publishing", "mode", format!("unknown mode {name:?}")))
    }
}
