//! Publishing without transactions: idempotent batches of a producer that has fenced every predecessor (`crates/fence`).
//!
//! The brokers refuse every batch of an earlier session that would follow the marker of the fence, and the tails are read up to that
//! marker.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cmgate_fence::{Claim, Cluster, End, Ended, Failure, Lane, Limits, Previous, ProducerId, Session, StoredRecord};
use futures::FutureExt;
use rdkafka::message::Headers;
use tokio::runtime::Handle;

use super::publisher::transactional_id;
use super::{KafkaFailure, KafkaSettings, PublishedEvent, Record, Tail};
use crate::domain::Shard;
use crate::store::TopicIdentity;

/// Age at which a fence is renewed. It has to be well below the times after which a cluster forgets a producer.
const RENEWAL: Duration = Duration::from_hours(1);

/// Longest time for which a fence is relied on.
pub const LONGEST_FENCE: Duration = Duration::from_hours(2);

/// Largest batch in bytes: fits the largest event, and Kafka's default limit.
const BATCH_BYTES: usize = 1_000_000;

/// Most records of a batch: more than fit into it.
const BATCH_RECORDS: usize = 1 << 16;

/// A group of partitions whose producer has a higher epoch than those of every predecessor. They are not fenced yet.
#[derive(Debug)]
pub struct FencedClaim {
    claim: Claim,
    brokers: String,
    topic: String,
}

/// The publisher of one partition group under a fence.
#[derive(Debug)]
pub struct FencedPublisher {
    session: Session,
    brokers: String,
    topic: String,
    runtime: Handle,
}

impl FencedClaim {
    /// Claims the partitions of a group. `previous` is the producer id that was stored for the last session.
    ///
    /// # Errors
    /// [`KafkaFailure::ProducerReplaced`] if the last session could still publish; otherwise what the cluster says.
    pub async fn take(
        settings: &KafkaSettings,
        group: u16,
        shards: &[Shard],
        previous: Previous,
    ) -> Result<Self, KafkaFailure> {
        let (cluster, compression) = settings.cluster()?;
        let partitions = shards.iter().map(|shard| shard.number().into()).collect();
        let lane = Lane {
            fence_timeout: settings.commit_timeout(),
            renewal: RENEWAL,
            limits: Limits {
                batch_bytes: BATCH_BYTES,
                batch_records: BATCH_RECORDS,
                // The worker paces its batches.
                floor: Duration::ZERO,
                compression,
                ..Limits::default()
            },
            ..Lane::new(&settings.topic, partitions, transactional_id(settings, group, 0))
        };
        let claim = Cluster::new(cluster)?.claim(&lane, previous).await?;
        Ok(Self { claim, brokers: settings.brokers.clone(), topic: settings.topic.clone() })
    }

    /// The producer id, to be stored before the fence.
    #[must_use]
    pub const fn producer_id(&self) -> ProducerId {
        self.claim.producer().id
    }

    /// Fences every predecessor, and reads what they published last. `topic` is the topic to publish to, if its identity is known.
    ///
    /// # Errors
    /// [`KafkaFailure::TopicReplaced`] if the topic has another id by now; otherwise what leaves a doubt about the fence or the tails.
    pub async fn fence(self, topic: Option<&TopicIdentity>) -> Result<(FencedPublisher, Vec<Tail>), KafkaFailure> {
        let expected = topic.and_then(|topic| topic.topic_id);
        if expected.zip(self.claim.topic_id()).is_some_and(|(expected, found)| expected != found) {
            return Err(KafkaFailure::TopicReplaced(self.topic));
        }
        let (session, tails) = self.claim.fence(read).await?;
        let tails = tails.into_iter().map(|(partition, tail)| Tail {
            shard: shard_of(partition),
            was_trimmed: tail.start > 0,
            end: tail.marker + 1,
            open_from: None,
            foreign: tail.foreign,
            last: tail.last.map(|(_, published)| published),
        });
        let publisher =
            FencedPublisher { session, brokers: self.brokers, topic: self.topic, runtime: Handle::current() };
        Ok((publisher, tails.collect()))
    }
}

impl FencedPublisher {
    /// Publishes records, in their order within each partition. After an error the outcome is unknown: drop the publisher and fence again.
    ///
    /// # Errors
    /// See [`super::Publisher::publish`]; besides, [`KafkaFailure::FenceRenewal`] if the session is too old.
    pub fn publish(&mut self, records: impl IntoIterator<Item = Record>) -> Result<(), KafkaFailure> {
        let mut batches: BTreeMap<i32, Vec<cmgate_fence::Record>> = BTreeMap::new();
        let mut waiting = 0_usize;
        for record in records {
            waiting += 1;
            batches.entry(record.partition).or_default().push(fenced(record));
        }
        let session = &mut self.session;
        let published = self.runtime.block_on(async {
            session.append_all(batches.into_iter().collect()).await?;
            while waiting > 0 {
                let acknowledged = session.acknowledged().await?;
                waiting = waiting.saturating_sub(acknowledged.iter().map(|it| it.records).sum());
            }
            Ok(())
        });
        published.map_err(|ended| self.failure(ended))
    }

    /// Fails if the session has ended, as one that publishes nothing can, too.
    ///
    /// # Errors
    /// Why it ended.
    pub fn check(&mut self) -> Result<(), KafkaFailure> {
        match self.session.acknowledged().now_or_never() {
            Some(Err(ended)) => Err(self.failure(ended)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn failure(&self, ended: Ended) -> KafkaFailure {
        let too_large = |partition: i32, bytes: usize| KafkaFailure::RecordTooLarge {
            shard: shard_of(partition),
            bytes,
            topic: self.topic.clone(),
            brokers: self.brokers.clone(),
        };
        match ended.reason() {
            End::Renewal => KafkaFailure::FenceRenewal,
            End::Failed(Failure::BatchTooLarge { bytes, records: 2.., .. }) => {
                KafkaFailure::BatchTooLarge { bytes: *bytes, source: ended.into() }
            }
            End::Failed(
                Failure::BatchTooLarge { partition, bytes, .. } | Failure::RecordTooLarge { partition, bytes, .. },
            ) => too_large(*partition, *bytes),
            End::Failed(_) => KafkaFailure::Session(ended),
        }
    }
}

impl From<Failure> for KafkaFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::OpenTransaction { partition, from } => {
                Self::ForeignTransaction { shard: shard_of(partition), start: from }
            }
            Failure::ProducerIdChanged { recorded, found, .. } => {
                Self::ProducerReplaced { recorded: recorded.get(), found: found.get() }
            }
            Failure::NotEnforced(_) => Self::NotEnforced(failure),
            other => Self::Fence(other),
        }
    }
}

fn read(record: &StoredRecord) -> Option<PublishedEvent> {
    PublishedEvent::from_parts(record.key.as_deref(), |wanted| {
        let (_, value) = record.headers.iter().find(|(name, _)| name == wanted)?;
        value.as_deref()
    })
}

fn fenced(record: Record) -> cmgate_fence::Record {
    let headers = record
        .headers
        .iter()
        .map(|header| (Bytes::copy_from_slice(header.key.as_bytes()), header.value.map(Bytes::copy_from_slice)));
    cmgate_fence::Record { headers: headers.collect(), key: Some(record.key.into()), value: Some(record.value.into()) }
}

fn shard_of(partition: i32) -> Shard {
    Shard::new(u16::try_from(partition).unwrap_or(u16::MAX))
}
