//! The self-test: whether a broker refuses a fenced epoch also for batches without a transaction. Apache Kafka does; Redpanda does not.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use tokio::time::Instant;

use super::transaction::Coordinator;
use super::{Links, Marked, Producer, fence};
use crate::batch::{Place, Record, encode};
use crate::cluster::Cluster;
use crate::connection::Api;
use crate::error::malformed;
use crate::{Compression, Failure, Lane};

/// Fences twice on a scratch topic and appends with the first epoch, which every partition has to refuse.
///
/// `lane` names the scratch topic and a transactional id of its own; the records that it leaves there mean nothing.
///
/// # Errors
/// [`Failure::NotEnforced`] if fenced appends are not safe on this broker; otherwise what kept the test from a verdict.
pub async fn self_test(cluster: &Cluster, lane: &Lane) -> Result<(), Failure> {
    let deadline = Instant::now() + lane.fence_timeout;
    let mut links = Links::open(cluster, lane, deadline).await?;
    let (mut coordinator, mut fenced) = Coordinator::claim(cluster, lane, deadline).await?;
    fence(&mut coordinator, &mut links, lane, fenced, cluster).await?;
    let mut owner = coordinator.init(deadline).await?;
    if owner.id != fenced.id {
        // A new id fences nothing of the old one. The next epoch has the same id.
        fenced = owner;
        fence(&mut coordinator, &mut links, lane, fenced, cluster).await?;
        owner = coordinator.init(deadline).await?;
    }
    let marked = fence(&mut coordinator, &mut links, lane, owner, cluster).await?;
    // Sequence 0 is what an owner begins with.
    expect_refusal(&append(&mut links, fenced, 0, &marked).await?, "its first batch")?;
    for (partition, code) in append(&mut links, owner, 0, &marked).await? {
        if let Some(error) = ResponseError::try_from_code(code) {
            return Err(Failure::NotEnforced(format!("the owner's first batch in partition {partition}: {error}")));
        }
    }
    // The sequence number would fit: only the epoch is wrong.
    expect_refusal(&append(&mut links, fenced, 1, &marked).await?, "a batch that follows the owner's")
}

fn expect_refusal(codes: &BTreeMap<i32, i16>, what: &str) -> Result<(), Failure> {
    for (partition, code) in codes {
        match ResponseError::try_from_code(*code) {
            Some(ResponseError::InvalidProducerEpoch) => {}
            None => return Err(Failure::NotEnforced(format!("{what} was accepted in partition {partition}"))),
            Some(error) => return Err(Failure::NotEnforced(format!("{what} in partition {partition}: {error}"))),
        }
    }
    Ok(())
}

/// Appends a record to each partition; returns the error codes.
async fn append(
    links: &mut Links,
    producer: Producer,
    sequence: i32,
    marked: &BTreeMap<i32, Marked>,
) -> Result<BTreeMap<i32, i16>, Failure> {
    let record = Record { value: Some("self-test".into()), ..Record::default() };
    let mut codes = BTreeMap::new();
    for (broker, connection) in &mut links.connections {
        let partitions = links.layout.led_by(*broker);
        let mut data = Vec::new();
        for partition in &partitions {
            let timestamp = marked.get(partition).map_or(0, |marked| marked.timestamp);
            let batch =
                encode(Place { producer, sequence, timestamp }, std::slice::from_ref(&record), Compression::None)?;
            data.push(PartitionProduceData::default().with_index(*partition).with_records(Some(batch)));
        }
        let topic = links.layout.produce(connection, &links.topic, data)?;
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic]);
        let response = connection.call(&request).await?;
        let found = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        codes.extend(found.map(|answer| (answer.index, answer.error_code)));
        if let Some(partition) = partitions.iter().find(|partition| !codes.contains_key(partition)) {
            return Err(malformed(ProduceRequest::NAME, format!("partition {partition} is missing")));
        }
    }
    Ok(codes)
}
