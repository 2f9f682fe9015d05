//! The empty transaction that fences: added to every partition, aborted, and its marker awaited in every log.
//!
//! The answer to `EndTxn` is no proof: the markers are written after it, and a partition without a leader is left out silently.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ProducerId as WireProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::links::Links;
use super::scan::Scan;
use super::{Marked, Pauses, Producer, ProducerId};
use crate::batch::StoredRecord;
use crate::cluster::{Cluster, topic_name};
use crate::connection::{Api, Connection};
use crate::error::malformed;
use crate::{Failure, Lane};

/// How long a transaction may stay open if its owner dies before `EndTxn`, in milliseconds. It has no records, so it blocks nobody.
const TRANSACTION_TIMEOUT_MILLIS: i32 = 10_000;

/// The coordinator of a lane's transactional id.
#[derive(Debug)]
pub(super) struct Coordinator {
    connection: Connection,
    id: TransactionalId,
    topic: AddPartitionsToTxnTopic,
}

impl Coordinator {
    /// Finds the coordinator and gets a new epoch from it. A coordinator that has just moved, or was just created, is looked up again.
    pub(super) async fn claim(cluster: &Cluster, lane: &Lane, deadline: Instant) -> Result<(Self, Producer), Failure> {
        let mut pauses = Pauses::until(deadline);
        loop {
            let mut coordinator = Self::find(cluster, lane, deadline).await?;
            match coordinator.init(deadline).await {
                Err(Failure::Refused { error: ResponseError::NotCoordinator, .. }) if pauses.next().await => {}
                claimed => return claimed.map(|producer| (coordinator, producer)),
            }
        }
    }

    async fn find(cluster: &Cluster, lane: &Lane, deadline: Instant) -> Result<Self, Failure> {
        let mut any = cluster.any().await?;
        Ok(Self {
            connection: cluster.coordinator(&mut any, &lane.transactional_id, deadline).await?,
            id: TransactionalId(StrBytes::from_string(lane.transactional_id.clone())),
            topic: AddPartitionsToTxnTopic::default()
                .with_name(topic_name(&lane.topic))
                .with_partitions(lane.partitions.clone()),
        })
    }

    /// A new epoch. The coordinator aborts what an earlier owner left open first.
    pub(super) async fn init(&mut self, deadline: Instant) -> Result<Producer, Failure> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(self.id.clone()))
            .with_transaction_timeout_ms(TRANSACTION_TIMEOUT_MILLIS);
        let mut pauses = Pauses::until(deadline);
        loop {
            let response = self.connection.call(&request).await?;
            if is_final(InitProducerIdRequest::NAME, response.error_code, &mut pauses).await? {
                let producer = Producer { id: ProducerId::new(response.producer_id.0), epoch: response.producer_epoch };
                return if producer.id.get() < 0 || producer.epoch < 0 {
                    Err(malformed(InitProducerIdRequest::NAME, format!("{producer}")))
                } else {
                    Ok(producer)
                };
            }
        }
    }

    async fn add_partitions(&mut self, producer: Producer, deadline: Instant) -> Result<(), Failure> {
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id.clone())
            .with_v3_and_below_producer_id(WireProducerId(producer.id.get()))
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(vec![self.topic.clone()]);
        let mut pauses = Pauses::until(deadline);
        loop {
            let response = self.connection.call(&request).await?;
            let results = response.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
            let codes: BTreeMap<i32, i16> =
                results.map(|result| (result.partition_index, result.partition_error_code)).collect();
            if let Some(missing) = self.topic.partitions.iter().find(|partition| !codes.contains_key(partition)) {
                return Err(malformed(AddPartitionsToTxnRequest::NAME, format!("partition {missing} is missing")));
            }
            // If one partition has an error, none was added; the others say OPERATION_NOT_ATTEMPTED.
            let not_attempted = ResponseError::OperationNotAttempted.code();
            let errors = || codes.values().copied().filter(|code| *code != 0);
            let code = errors().find(|code| *code != not_attempted).or_else(|| errors().next()).unwrap_or(0);
            if is_final(AddPartitionsToTxnRequest::NAME, code, &mut pauses).await? {
                return Ok(());
            }
        }
    }

    async fn abort(&mut self, producer: Producer, deadline: Instant) -> Result<(), Failure> {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(WireProducerId(producer.id.get()))
            .with_producer_epoch(producer.epoch)
            .with_committed(false);
        let mut pauses = Pauses::until(deadline);
        loop {
            let response = self.connection.call(&request).await?;
            if is_final(EndTxnRequest::NAME, response.error_code, &mut pauses).await? {
                return Ok(());
            }
        }
    }

    /// Adds an empty transaction to every partition and aborts it.
    pub(super) async fn empty_transaction(&mut self, producer: Producer, deadline: Instant) -> Result<(), Failure> {
        self.add_partitions(producer, deadline).await?;
        self.abort(producer, deadline).await
    }
}

/// Whether a request succeeded; false if it is to be repeated, which is harmless for all of these.
async fn is_final(api: &'static str, code: i16, pauses: &mut Pauses) -> Result<bool, Failure> {
    use ResponseError::{ConcurrentTransactions, CoordinatorLoadInProgress, CoordinatorNotAvailable};
    match ResponseError::try_from_code(code) {
        None => Ok(true),
        Some(ConcurrentTransactions | CoordinatorLoadInProgress | CoordinatorNotAvailable) if pauses.next().await => {
            Ok(false)
        }
        Some(error) => Err(Failure::Refused { api, error }),
    }
}

/// The own markers of a lane, and the scans that found them.
type Fence<T> = (BTreeMap<i32, Marked>, BTreeMap<i32, Scan<T>>);

/// Fences every lower epoch in every partition of a lane.
pub(super) async fn fence<T>(
    coordinator: &mut Coordinator,
    links: &mut Links,
    lane: &Lane,
    producer: Producer,
    cluster: &Cluster,
    select: &impl Fn(&StoredRecord) -> Option<T>,
) -> Result<Fence<T>, Failure> {
    let deadline = Instant::now() + lane.fence_timeout;
    let before = links.ends().await?;
    coordinator.empty_transaction(producer, deadline).await?;
    let clock = &cluster.settings().clock;
    let mut marked = BTreeMap::new();
    let mut open: BTreeMap<i32, Scan<T>> = before.into_iter().map(|(it, end)| (it, Scan::new(it, end))).collect();
    let mut done = BTreeMap::new();
    while !open.is_empty() {
        let from = open.iter().map(|(partition, scan)| (*partition, scan.next)).collect();
        let is_late = Instant::now() >= deadline;
        for (partition, fetched) in links.fetch(&from).await? {
            let Some(mut scan) = open.remove(&partition) else { continue };
            let (stable, high_watermark) = (fetched.stable, fetched.high_watermark);
            if let Some(found) = scan.read(fetched, high_watermark, Some(producer), select)? {
                let seen = clock.since_boot();
                marked.insert(partition, Marked { offset: found.offset, timestamp: found.timestamp, seen });
                done.insert(partition, scan);
            } else if is_late && stable < high_watermark {
                return Err(Failure::OpenTransaction { partition, from: stable });
            } else {
                open.insert(partition, scan);
            }
        }
        if is_late && let Some(partition) = open.keys().next() {
            let (partition, producer) = (*partition, producer.to_string());
            return Err(Failure::MarkerMissing { partition, producer, limit: lane.fence_timeout });
        }
    }
    Ok((marked, done))
}
