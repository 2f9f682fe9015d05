//! The publisher of a partition group, in either mode.

use std::time::{Duration, Instant};

use cmgate_fence::Previous;
use tokio::runtime::Handle;

use super::fenced::{FencedClaim, FencedPublisher};
use super::{KafkaFailure, KafkaSettings, Published, Publisher, Record, Tail, read_tails};
use crate::domain::Shard;
use crate::store::{Publishing, TopicIdentity};

/// Time to linger after a transaction, for each of its events but the first. A transaction costs the broker as much as a hundred
/// events, so a busy worker makes few large ones; a worker with little to publish does not wait.
const LINGER_PER_EVENT: Duration = Duration::from_micros(200);
/// Longest time to linger.
const LINGER_MAX: Duration = Duration::from_millis(60);

/// Least time from one fenced batch to the next. At a thousand events a second it halves the broker's work.
const FLOOR: Duration = Duration::from_millis(2);

/// A partition group that this session has claimed. No predecessor claims it again, but those of [`Publishing::Fenced`] may publish
/// until [`finish`](Self::finish).
pub enum GroupClaim {
    /// The predecessors are fenced.
    Transactions(Box<Publisher>),
    /// The predecessors will be fenced.
    Fenced(Box<FencedClaim>),
}

/// Publishes to the partitions of a group.
pub enum GroupPublisher {
    /// In transactions.
    Transactions(Box<Publisher>),
    /// In batches under a fence.
    Fenced(Box<FencedPublisher>),
}

impl GroupClaim {
    /// Claims a group. `previous` is the producer id that was stored for the last session.
    ///
    /// # Errors
    /// See [`Publisher::fence`] and [`FencedClaim::take`].
    pub fn take(
        settings: &KafkaSettings,
        runtime: &Handle,
        (group, shards): (u16, &[Shard]),
        previous: Previous,
    ) -> Result<Self, KafkaFailure> {
        match settings.publishing {
            Publishing::Transactions => Ok(Self::Transactions(Box::new(Publisher::fence(settings, group)?))),
            Publishing::Fenced => {
                let claim = runtime.block_on(FencedClaim::take(settings, group, shards, previous))?;
                Ok(Self::Fenced(Box::new(claim)))
            }
        }
    }

    /// The producer id, to be stored before [`finish`](Self::finish).
    #[must_use]
    pub fn producer_id(&self) -> Option<i64> {
        match self {
            Self::Transactions(_) => None,
            Self::Fenced(claim) => Some(claim.producer_id().get()),
        }
    }

    /// Fences the predecessors that are not fenced yet, and reads what they published last. `topic` is the topic of the tails, if its
    /// identity is known.
    ///
    /// # Errors
    /// See [`read_tails`] and [`FencedClaim::fence`].
    pub fn finish(
        self,
        settings: &KafkaSettings,
        runtime: &Handle,
        shards: &[Shard],
        topic: Option<&TopicIdentity>,
    ) -> Result<(GroupPublisher, Vec<Tail>), KafkaFailure> {
        match self {
            Self::Transactions(mut publisher) => {
                let tails = read_tails(settings, shards)?;
                publisher.follow(&tails, settings, topic);
                Ok((GroupPublisher::Transactions(publisher), tails))
            }
            Self::Fenced(claim) => {
                let (publisher, tails) = runtime.block_on(claim.fence(topic))?;
                Ok((GroupPublisher::Fenced(Box::new(publisher)), tails))
            }
        }
    }
}

impl GroupPublisher {
    /// Publishes records. After an error the outcome is unknown: drop the publisher and read the tails.
    ///
    /// # Errors
    /// See [`Publisher::publish`] and [`FencedPublisher::publish`].
    pub fn publish(&mut self, records: impl IntoIterator<Item = Record>) -> Result<Published, KafkaFailure> {
        match self {
            Self::Transactions(publisher) => publisher.publish(records),
            Self::Fenced(publisher) => publisher.publish(records).map(|()| Published::Clean),
        }
    }

    /// Fails if it cannot publish any more, as far as that shows without publishing.
    ///
    /// # Errors
    /// See [`FencedPublisher::check`].
    pub fn check(&mut self) -> Result<(), KafkaFailure> {
        match self {
            Self::Transactions(_) => Ok(()),
            Self::Fenced(publisher) => publisher.check(),
        }
    }

    /// Whether its fence has to be renewed.
    #[must_use]
    pub const fn renews_fence(&self) -> bool {
        matches!(self, Self::Fenced(_))
    }

    /// How long to let more events arrive after a batch of so many, which began at `begun`.
    #[must_use]
    pub fn linger(&self, published: usize, begun: Instant) -> Duration {
        match self {
            Self::Transactions(_) => {
                let others = u32::try_from(published.saturating_sub(1)).unwrap_or(u32::MAX);
                LINGER_PER_EVENT.saturating_mul(others).min(LINGER_MAX)
            }
            Self::Fenced(_) => FLOOR.saturating_sub(begun.elapsed()),
        }
    }
}
