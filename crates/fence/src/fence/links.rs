//! Connections to the leaders of a lane's partitions, and what can be asked of them.

use std::collections::BTreeMap;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    BrokerId, DescribeProducersRequest, FetchRequest, ListOffsetsRequest, describe_producers_request,
};
use tokio::time::Instant;

use super::{LAST_EPOCH, ProducerId};
use crate::batch::{Batch, batches};
use crate::cluster::{Cluster, Layout, Pauses, metadata_request, topic_name};
use crate::connection::{Api, Connection};
use crate::error::{check, check_partition, malformed};
use crate::{Failure, Lane};

/// Special timestamps of `ListOffsets`.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// Records of open and of aborted transactions are recognisable.
const READ_COMMITTED: i8 = 1;
const READ_UNCOMMITTED: i8 = 0;

/// Longest wait of a fetch for new records, in milliseconds: how late a marker can be seen if the broker does not report it at once.
const FETCH_WAIT_MILLIS: i32 = 20;
/// Most bytes of a fetch, and of a partition in it. The first batch comes whole.
const FETCH_BYTES: i32 = 8 << 20;
const FETCH_PARTITION_BYTES: i32 = 512 << 10;

/// The leaders of a lane. They stay the same for a session.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) topic: String,
    pub(crate) layout: Layout,
    pub(crate) connections: BTreeMap<BrokerId, Connection>,
}

/// What a leader sends of a partition.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Everything before is replicated.
    pub(super) high_watermark: i64,
    /// Everything before is decided: committed or aborted.
    pub(super) stable: i64,
    /// Aborted transactions among the batches: producer and first offset.
    pub(super) aborted: Vec<(ProducerId, i64)>,
    pub(super) batches: Vec<Batch>,
}

impl Links {
    /// Connects to the leaders once every partition has one.
    pub(super) async fn open(cluster: &Cluster, lane: &Lane, deadline: Instant) -> Result<Self, Failure> {
        let mut connection = cluster.any().await?;
        let mut pauses = Pauses::until(deadline);
        let layout = loop {
            let response = connection.call(&metadata_request(&lane.topic)).await?;
            match Layout::of(&response, &lane.partitions) {
                Ok(layout) => break layout,
                Err(Failure::NoLeader(_) | Failure::PartitionRefused { .. }) if pauses.next().await => {}
                Err(failure) => return Err(failure),
            }
        };
        Ok(Self { topic: lane.topic.clone(), connections: cluster.leaders(&layout).await?, layout })
    }

    /// The offset after the last replicated record of each partition.
    pub(super) async fn ends(&mut self) -> Result<BTreeMap<i32, i64>, Failure> {
        self.offsets(LATEST).await
    }

    /// The first offset of each partition.
    pub(super) async fn starts(&mut self) -> Result<BTreeMap<i32, i64>, Failure> {
        self.offsets(EARLIEST).await
    }

    async fn offsets(&mut self, timestamp: i64) -> Result<BTreeMap<i32, i64>, Failure> {
        let mut offsets = BTreeMap::new();
        for (broker, connection) in &mut self.connections {
            let partition = |index| {
                ListOffsetsPartition::default()
                    .with_partition_index(index)
                    .with_timestamp(timestamp)
                    .with_current_leader_epoch(-1)
            };
            let partitions = self.layout.led_by(*broker);
            let topic = ListOffsetsTopic::default()
                .with_name(topic_name(&self.topic))
                .with_partitions(partitions.iter().copied().map(partition).collect());
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_isolation_level(READ_UNCOMMITTED)
                .with_topics(vec![topic]);
            let response = connection.call(&request).await?;
            let found = response.topics.iter().flat_map(|topic| &topic.partitions);
            let found: BTreeMap<i32, _> = found.map(|found| (found.partition_index, found)).collect();
            for partition in partitions {
                let missing = || malformed(ListOffsetsRequest::NAME, format!("partition {partition} is missing"));
                let found = found.get(&partition).ok_or_else(missing)?;
                check_partition(ListOffsetsRequest::NAME, partition, found.error_code)?;
                offsets.insert(partition, found.offset);
            }
        }
        Ok(offsets)
    }

    /// Fetches what follows an offset in each of some partitions, up to the first undecided record.
    pub(super) async fn fetch(&mut self, from: &BTreeMap<i32, i64>) -> Result<BTreeMap<i32, Fetched>, Failure> {
        let (topic, layout) = (&self.topic, &self.layout);
        let fetches = self.connections.iter_mut().map(async |(broker, connection)| {
            let mut partitions = layout.led_by(*broker);
            partitions.retain(|partition| from.contains_key(partition));
            if partitions.is_empty() { Ok(BTreeMap::new()) } else { fetch(connection, topic, &partitions, from).await }
        });
        Ok(futures::future::try_join_all(fetches).await?.into_iter().flatten().collect())
    }

    /// A partition whose leader does not know that all epochs of `id` below [`LAST_EPOCH`] are fenced.
    pub(super) async fn unfenced_partition(&mut self, id: ProducerId) -> Result<Option<i32>, Failure> {
        for (broker, connection) in &mut self.connections {
            let partitions = self.layout.led_by(*broker);
            let topic = describe_producers_request::TopicRequest::default()
                .with_name(topic_name(&self.topic))
                .with_partition_indexes(partitions.clone());
            let response = connection.call(&DescribeProducersRequest::default().with_topics(vec![topic])).await?;
            let found = response.topics.iter().flat_map(|topic| &topic.partitions);
            let mut fenced = Vec::new();
            for partition in found {
                check_partition(DescribeProducersRequest::NAME, partition.partition_index, partition.error_code)?;
                let is_fenced = |producer: &kafka_protocol::messages::describe_producers_response::ProducerState| {
                    producer.producer_id.0 == id.get() && producer.producer_epoch >= LAST_EPOCH.into()
                };
                if partition.active_producers.iter().any(is_fenced) {
                    fenced.push(partition.partition_index);
                }
            }
            if let Some(partition) = partitions.into_iter().find(|partition| !fenced.contains(partition)) {
                return Ok(Some(partition));
            }
        }
        Ok(None)
    }

    /// Fails if metadata names other leaders, or another topic of the same name, than at the fence.
    pub(crate) fn check_layout(&self, response: &kafka_protocol::messages::MetadataResponse) -> Result<(), Failure> {
        let partitions: Vec<i32> = self.layout.leaders.keys().copied().collect();
        self.layout.check_same(&Layout::of(response, &partitions)?)
    }
}

async fn fetch(
    connection: &mut Connection,
    topic: &str,
    partitions: &[i32],
    from: &BTreeMap<i32, i64>,
) -> Result<BTreeMap<i32, Fetched>, Failure> {
    let partition = |index: &i32| {
        FetchPartition::default()
            .with_partition(*index)
            .with_current_leader_epoch(-1)
            .with_fetch_offset(from.get(index).copied().unwrap_or_default())
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(FETCH_PARTITION_BYTES)
    };
    let topic =
        FetchTopic::default().with_topic(topic_name(topic)).with_partitions(partitions.iter().map(partition).collect());
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(FETCH_WAIT_MILLIS)
        .with_min_bytes(1)
        .with_max_bytes(FETCH_BYTES)
        .with_isolation_level(READ_COMMITTED)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let response = connection.call(&request).await?;
    check(FetchRequest::NAME, response.error_code)?;
    let mut fetched = BTreeMap::new();
    for partition in response.responses.into_iter().flat_map(|topic| topic.partitions) {
        check_partition(FetchRequest::NAME, partition.partition_index, partition.error_code)?;
        let aborted = partition.aborted_transactions.unwrap_or_default();
        fetched.insert(
            partition.partition_index,
            Fetched {
                high_watermark: partition.high_watermark,
                stable: partition.last_stable_offset,
                aborted: aborted.iter().map(|it| (ProducerId::new(it.producer_id.0), it.first_offset)).collect(),
                batches: batches(partition.records.unwrap_or_default())?,
            },
        );
    }
    Ok(fetched)
}
