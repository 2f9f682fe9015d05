//! The claim of a partition group: the mode in which this database publishes, and the producer id of the last session.

use std::time::{Duration, Instant};

use cmgate_fence::{Previous, ProducerId};

use super::context::Context;
use super::halt::Halt;
use super::kafka::{GroupClaim, KafkaFailure, self_test};
use super::stop::Stop;
use crate::store::{Publishing, TopicIdentity};

/// Time after which no connection of a session with another producer id is left: twice the default of `connections.max.idle.ms`, and
/// some.
const ABANDONED_AFTER: Duration = Duration::from_mins(25);

impl Context {
    /// Fails if this database publishes in another mode. A database without a mode gets the configured one, after a test of the
    /// cluster.
    pub(super) fn bind_publishing(&self) -> Result<(), Stop> {
        // The test broker loses what it knows of producers.
        if self.kafka.is_volatile {
            return Ok(());
        }
        let bound = if let Some(bound) = self.query(self.store.publishing())? {
            bound
        } else {
            if self.kafka.publishing == Publishing::Fenced {
                self.runtime.block_on(self_test(&self.kafka))?;
            }
            self.query(self.store.bind_publishing(self.kafka.publishing))?
        };
        if bound == self.kafka.publishing { Ok(()) } else { Err(Halt::OtherPublishing { bound }.into()) }
    }

    /// Claims the group, and stores the producer id before the fence relies on it.
    pub(super) fn claim_group(&self, topic: Option<&TopicIdentity>) -> Result<GroupClaim, Stop> {
        let stored = match (self.kafka.publishing, topic) {
            (Publishing::Fenced, Some(topic)) => self.query(self.store.producer_id(self.group(), topic))?,
            (Publishing::Transactions, _) | (Publishing::Fenced, None) => None,
        };
        let previous = match (stored, self.replaced.get()) {
            (None, _) => Previous::None,
            (Some(_), Some(since)) if since.elapsed() >= ABANDONED_AFTER => Previous::Abandoned,
            (Some(id), _) => Previous::Recorded(ProducerId::new(id)),
        };
        let claim = GroupClaim::take(&self.kafka, &self.runtime, (self.group(), self.shards()), previous);
        match &claim {
            Err(KafkaFailure::ProducerReplaced { .. }) => {
                self.replaced.set(self.replaced.get().or_else(|| Some(Instant::now())));
            }
            Ok(_) => self.replaced.set(None),
            Err(_) => {}
        }
        let claim = claim?;
        if let (Some(id), Some(topic)) = (claim.producer_id().filter(|id| Some(*id) != stored), topic) {
            self.query(self.store.put_producer_id(self.group(), topic, id))?;
        }
        Ok(claim)
    }
}
