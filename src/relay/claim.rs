//! The claim of a partition group: the mode in which this database publishes, and the producer id of the last session.

use std::time::Instant;

use super::context::Context;
use super::halt::Halt;
use super::kafka::{GroupClaim, self_test};
use super::stop::Stop;
use crate::store::{Publishing, TopicIdentity};

impl Context {
    /// Fails if this database publishes in another mode. A database without a mode gets the configured one, after a test of the
    /// cluster.
    pub(super) fn bind_publishing(&self) -> Result<(), Stop> {
        // The test broker loses what it knows of producers.
        if self.kafka.is_volatile {
            return Ok(());
        }
        let (mode, found) = (self.kafka.publishing, self.query(self.store.publishing())?);
        // Without a topic, the cluster may be another one than that of the last test.
        let is_tested = || Ok::<_, Stop>(found.is_some() && self.query(self.store.topic())?.is_some());
        if mode == Publishing::Fenced && found.is_none_or(|found| found == mode) && !is_tested()? {
            self.runtime.block_on(self_test(&self.kafka))?;
        }
        let bound = match found {
            Some(bound) => bound,
            None => self.query(self.store.bind_publishing(mode))?,
        };
        if bound == mode { Ok(()) } else { Err(Halt::OtherPublishing { bound }.into()) }
    }

    /// Claims the group, and stores the producer id before the fence relies on it.
    pub(super) fn claim_group(&self, topic: Option<&TopicIdentity>) -> Result<GroupClaim, Stop> {
        let stored = match (self.kafka.publishing, topic) {
            (Publishing::Fenced, Some(topic)) => self.query(self.store.producer_id(self.group(), topic))?,
            (Publishing::Transactions, _) | (Publishing::Fenced, None) => None,
        };
        let previous = self.replaced.previous(stored, Instant::now());
        let claim = GroupClaim::take(&self.kafka, &self.runtime, (self.group(), self.shards()), previous);
        self.replaced.note(claim.as_ref().map(|_| ()), Instant::now());
        let claim = claim?;
        if let (Some(id), Some(topic)) = (claim.producer_id().filter(|id| Some(*id) != stored), topic) {
            self.query(self.store.put_producer_id(self.group(), topic, id))?;
        }
        Ok(claim)
    }
}
