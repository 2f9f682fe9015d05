//! The fence: a producer id and epoch whose marker stands in the log of every partition of a lane.

mod links;
mod producer;
mod scan;
mod self_test;
mod tail;
mod transaction;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use links::Links;
pub use producer::{LAST_EPOCH, Previous, Producer, ProducerId};
pub use self_test::self_test;
pub use tail::Tail;
use transaction::Coordinator;

use crate::batch::StoredRecord;
use crate::cluster::{Cluster, Pauses};
use crate::session::{Expect, Session};
use crate::{Failure, Lane};

/// Calls of `InitProducerId` that rotate a producer id: more than there are epochs from [`LAST_EPOCH`] on.
const ROTATION_ATTEMPTS: u32 = 1_000;

/// A producer id and epoch that no other owner has, before its fence. Record the id durably, then [`fence`](Claim::fence).
#[derive(Debug)]
#[must_use]
pub struct Claim {
    cluster: Cluster,
    lane: Lane,
    producer: Producer,
    coordinator: Coordinator,
    links: Links,
    /// Boot-time clock before the claim: the fence is at most as old as this says.
    began: Duration,
}

/// What is known of a partition whose log shows the own marker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marked {
    /// Offset of the marker.
    pub(crate) offset: i64,
    /// The leader's clock when it appended the marker, in milliseconds since 1970.
    pub(crate) timestamp: i64,
    /// Boot-time clock when the marker was seen.
    pub(crate) seen: Duration,
}

impl Cluster {
    /// Takes a lane over from every earlier owner, as far as the coordinator decides it. `previous` is the producer id that was recorded
    /// for the last session.
    ///
    /// # Errors
    /// [`Failure::ProducerIdChanged`] if the last owner could still append; otherwise what stopped the claim. Claim again after a pause.
    pub async fn claim(&self, lane: &Lane, previous: Previous) -> Result<Claim, Failure> {
        let began = self.settings().clock.since_boot();
        let deadline = Instant::now() + lane.fence_timeout;
        let mut links = Links::open(self, lane, deadline).await?;
        let (mut coordinator, mut producer) = Coordinator::claim(self, lane, deadline).await?;
        let mut retired = None;
        if producer.epoch >= LAST_EPOCH {
            // Its markers fence every epoch that was ever written with; later epochs of this id are never written with.
            fence(&mut coordinator, &mut links, lane, producer, self).await?;
            retired = Some(producer.id);
            tracing::info!(id = %producer.id, "the producer id is exhausted and will be replaced");
            for _ in 0..ROTATION_ATTEMPTS {
                producer = coordinator.init(deadline).await?;
                if producer.epoch < LAST_EPOCH {
                    break;
                }
                retired = retired.filter(|id| *id == producer.id);
            }
            if producer.epoch >= LAST_EPOCH {
                return Err(Failure::EpochsExhausted(producer.id));
            }
        }
        let unproven = match previous {
            Previous::Recorded(id) if id != producer.id && Some(id) != retired => links.unfenced_partition(id).await?,
            Previous::Recorded(_) | Previous::None | Previous::Abandoned => None,
        };
        match (unproven, previous) {
            (Some(partition), Previous::Recorded(recorded)) => {
                Err(Failure::ProducerIdChanged { recorded, found: producer.id, partition })
            }
            _ => Ok(Claim { cluster: self.clone(), lane: lane.clone(), producer, coordinator, links, began }),
        }
    }
}

impl Claim {
    /// The producer id and epoch of this claim.
    #[must_use]
    pub const fn producer(&self) -> Producer {
        self.producer
    }

    /// Id of the topic whose partitions this claim fences and appends to; `None` on brokers before 2.8, which have no ids.
    #[must_use]
    pub fn topic_id(&self) -> Option<Uuid> {
        Some(Uuid::from_u128(self.links.layout.topic_id)).filter(|id| !id.is_nil())
    }

    /// Fences every predecessor and reads the tails: the last records that they appended. `select` says which records are the lane's own,
    /// and what to keep of them.
    ///
    /// # Errors
    /// Anything that leaves a doubt. Claim again after a pause.
    pub async fn fence<T>(
        mut self,
        select: impl Fn(&StoredRecord) -> Option<T>,
    ) -> Result<(Session, BTreeMap<i32, Tail<T>>), Failure> {
        let (marked, scans) = transaction::fence(
            &mut self.coordinator,
            &mut self.links,
            &self.lane,
            self.producer,
            &self.cluster,
            &select,
        )
        .await?;
        let tails = tail::read(&mut self.links, &marked, scans, &select).await?;
        let expected = marked.into_iter().map(|(partition, marked)| (partition, Expect::after(marked))).collect();
        Ok((self.into_session(expected), tails))
    }

    fn into_session(self, expected: BTreeMap<i32, Expect>) -> Session {
        Session::start(&self.cluster, self.lane, self.producer, self.links, expected, self.began)
    }
}

/// Fences without reading tails.
async fn fence(
    coordinator: &mut Coordinator,
    links: &mut Links,
    lane: &Lane,
    producer: Producer,
    cluster: &Cluster,
) -> Result<BTreeMap<i32, Marked>, Failure> {
    let nothing = |_: &StoredRecord| -> Option<()> { None };
    Ok(transaction::fence(coordinator, links, lane, producer, cluster, &nothing).await?.0)
}

#[cfg(feature = "control")]
mod control;
#[cfg(feature = "control")]
pub use control::Unfenced;

#[cfg(test)]
mod tests;
