//! Fenced appends to Apache Kafka: exactly one owner at a time appends to a set of partitions, and nothing of a predecessor follows
//! what the owner has read.
//!
//! An owner fences its predecessors by an empty aborted transaction over its partitions, waits for the marker of that transaction in
//! each partition's log, reads the last record before it, and appends plain idempotent batches under the producer id and epoch of the
//! transaction. A partition leader refuses every batch with a lower epoch that follows the marker. Anything unexpected ends the
//! session; the next one fences again.
//!
//! ```no_run
//! # use cmgate_fence::{Cluster, ClusterSettings, Lane, Previous, Record};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::new(ClusterSettings::new(vec!["broker:9092".parse()?]))?;
//! let lane = Lane::new("events", vec![0, 1, 2, 3], "events.lane-0");
//! let claim = cluster.claim(&lane, Previous::None).await?;
//! // Record `claim.producer().id` durably here; the next claim passes it as `Previous::Recorded`.
//! let (mut session, tails) = claim.fence(|record| record.key.clone()).await?;
//! // Resume behind `tails`.
//! session.append(0, vec![Record { value: Some("event".into()), ..Record::default() }]).await?;
//! let acknowledged = session.acknowledged().await?;
//! # let _ = (tails, acknowledged);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod batch;
mod clock;
mod cluster;
mod connection;
mod error;
mod fence;
mod observer;
mod sasl;
mod session;
mod settings;

pub use batch::{Record, StoredRecord};
pub use clock::{Clock, SystemClock};
pub use cluster::{Cluster, Durability};
pub use error::Failure;
#[cfg(feature = "control")]
pub use fence::Unfenced;
pub use fence::{Claim, LAST_EPOCH, Previous, Producer, ProducerId, Tail, self_test};
pub use observer::{Observer, Outcome, Request};
pub use session::{Acknowledged, End, Ended, Session};
pub use settings::{
    Address, ClusterSettings, Compression, Lane, Limits, Sasl, ScramHash, TlsIdentity, TlsSettings, TokenSource,
};

#[cfg(test)]
mod fake;
