//! The settings of a topic that exactly-once publication rests on.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{DescribeConfigsRequest, MetadataRequest};
use kafka_protocol::protocol::StrBytes;

use super::{Cluster, metadata_request};
use crate::Failure;
use crate::connection::Api;
use crate::error::{check, malformed};

/// A topic, in `DescribeConfigs`.
const TOPIC: i8 = 2;

/// How a topic keeps its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// Replicas of the partition with the fewest.
    pub replicas: usize,
    /// `min.insync.replicas`: replicas that have a record before it is acknowledged.
    pub min_insync_replicas: usize,
    /// `unclean.leader.election.enable`: whether a replica that lacks records may become the leader.
    pub unclean_leader_election: bool,
    /// `max.message.bytes`: largest batch.
    pub max_message_bytes: usize,
}

impl Durability {
    /// Whether acknowledged records, and the fence with them, survive the loss of a broker.
    #[must_use]
    pub const fn survives_a_broker(&self) -> bool {
        self.replicas > 1 && self.min_insync_replicas > 1 && !self.unclean_leader_election
    }
}

impl Cluster {
    /// Reads the settings of a topic. Needs the right to describe its configuration.
    pub async fn durability(&self, topic: &str) -> Result<Durability, Failure> {
        let mut connection = self.any().await?;
        let metadata = connection.call(&metadata_request(topic)).await?;
        let found = metadata.topics.first().ok_or_else(|| malformed(MetadataRequest::NAME, "the topic is missing"))?;
        check(MetadataRequest::NAME, found.error_code)?;
        let replicas = found.partitions.iter().map(|partition| partition.replica_nodes.len()).min().unwrap_or(0);
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(topic.to_owned()));
        let answer = connection.call(&DescribeConfigsRequest::default().with_resources(vec![resource])).await?;
        let wrong = |reason: &str| malformed(DescribeConfigsRequest::NAME, reason);
        let result = answer.results.first().ok_or_else(|| wrong("the topic is missing"))?;
        check(DescribeConfigsRequest::NAME, result.error_code)?;
        let value = |name: &str| {
            let config = result.configs.iter().find(|config| config.name.as_str() == name);
            config.and_then(|config| config.value.as_deref()).ok_or_else(|| wrong(name))
        };
        let number = |name: &str| value(name)?.parse::<usize>().map_err(|_| wrong(name));
        Ok(Durability {
            replicas,
            min_insync_replicas: number("min.insync.replicas")?,
            unclean_leader_election: value("unclean.leader.election.enable")? == "true",
            max_message_bytes: number("max.message.bytes")?,
        })
    }
}
