//! The brokers of a cluster: where partitions have their leaders and transactional ids their coordinators.

mod durability;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, MetadataRequest, MetadataResponse, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;
use uuid::Uuid;

use crate::connection::{Api, Connection, Profile, tls};
use crate::error::{check, check_partition, malformed};
use crate::{Address, ClusterSettings, Failure};

pub use durability::Durability;

/// First pause before a request is repeated; doubles up to the maximum.
const PAUSE: Duration = Duration::from_millis(2);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// A coordinator of transactions, in `FindCoordinator`.
const TRANSACTION: i8 = 1;

/// First version of `Produce` that names a topic by its id.
const PRODUCE_BY_ID: i16 = 13;

/// A cluster to connect to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cluster {
    profile: Profile,
}

/// The partitions of a topic and their leaders, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Identity of the topic; 0 on brokers before 2.8.
    pub(crate) topic_id: u128,
    pub(crate) leaders: BTreeMap<i32, BrokerId>,
    brokers: BTreeMap<BrokerId, Address>,
}

impl Cluster {
    /// Checks the settings. Connects to nothing yet.
    pub fn new(settings: ClusterSettings) -> Result<Self, Failure> {
        let tls = settings.tls.as_ref().map(tls).transpose()?;
        if settings.bootstrap.is_empty() {
            return Err(Failure::Setting { setting: "bootstrap", reason: "name at least one broker".to_owned() });
        }
        Ok(Self { profile: Profile { settings: Arc::new(settings), tls } })
    }

    pub(crate) fn settings(&self) -> &ClusterSettings {
        &self.profile.settings
    }

    /// A connection to the first broker that answers.
    pub(crate) async fn any(&self) -> Result<Connection, Failure> {
        let mut failure = None;
        for address in &self.settings().bootstrap {
            match Connection::open(&self.profile, address).await {
                Ok(connection) => return Ok(connection),
                // Another broker would say the same.
                Err(failure @ (Failure::Authentication { .. } | Failure::Unsupported { .. })) => return Err(failure),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| malformed("the list of brokers", "it is empty")))
    }

    /// A connection to the coordinator of a transactional id.
    pub(crate) async fn coordinator(
        &self,
        connection: &mut Connection,
        id: &str,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        let request =
            FindCoordinatorRequest::default().with_key(StrBytes::from_string(id.to_owned())).with_key_type(TRANSACTION);
        let mut pauses = Pauses::until(deadline);
        let found = loop {
            let found = connection.call(&request).await?;
            match ResponseError::try_from_code(found.error_code) {
                None => break found,
                Some(ResponseError::CoordinatorNotAvailable | ResponseError::CoordinatorLoadInProgress)
                    if pauses.next().await => {}
                Some(error) => return Err(Failure::Refused { api: FindCoordinatorRequest::NAME, error }),
            }
        };
        Connection::open(&self.profile, &address(&found.host, found.port)?).await
    }

    /// Connections to the leaders of the partitions of a layout.
    pub(crate) async fn leaders(&self, layout: &Layout) -> Result<BTreeMap<BrokerId, Connection>, Failure> {
        let ids: BTreeSet<BrokerId> = layout.leaders.values().copied().collect();
        let open = ids.into_iter().map(async |id| {
            let unknown = || malformed(MetadataRequest::NAME, format!("broker {} has no address", id.0));
            let address = layout.brokers.get(&id).ok_or_else(unknown)?;
            Ok((id, Connection::open(&self.profile, address).await?))
        });
        Ok(futures::future::try_join_all(open).await?.into_iter().collect())
    }
}

/// Asks for the partitions of a topic.
pub(crate) fn metadata_request(topic: &str) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false)
}

pub(crate) fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

impl Layout {
    /// The layout of some partitions, all of which need a leader.
    pub(crate) fn of(response: &MetadataResponse, partitions: &[i32]) -> Result<Self, Failure> {
        let topic = response.topics.first().ok_or_else(|| malformed(MetadataRequest::NAME, "the topic is missing"))?;
        check(MetadataRequest::NAME, topic.error_code)?;
        let mut leaders = BTreeMap::new();
        for number in partitions {
            let found = topic.partitions.iter().find(|partition| partition.partition_index == *number);
            let partition = found.ok_or(Failure::NoLeader(*number))?;
            // A partition can have a leader and an error: a listener that the leader lacks.
            check_partition(MetadataRequest::NAME, *number, partition.error_code)?;
            if partition.leader_id.0 < 0 {
                return Err(Failure::NoLeader(*number));
            }
            leaders.insert(*number, partition.leader_id);
        }
        let brokers = response.brokers.iter().map(|broker| Ok((broker.node_id, address(&broker.host, broker.port)?)));
        Ok(Self { topic_id: topic.topic_id.as_u128(), leaders, brokers: brokers.collect::<Result<_, Failure>>()? })
    }

    /// Fails if a partition has another leader than before, or the topic is another one of the same name.
    pub(crate) fn check_same(&self, later: &Self) -> Result<(), Failure> {
        for (partition, leader) in &self.leaders {
            if later.topic_id != self.topic_id || later.leaders.get(partition) != Some(leader) {
                return Err(Failure::Moved(*partition));
            }
        }
        Ok(())
    }

    /// The batches of a produce request, for the very topic of this layout if the broker knows topic ids.
    pub(crate) fn produce(
        &self,
        connection: &Connection,
        topic: &str,
        data: Vec<PartitionProduceData>,
    ) -> Result<TopicProduceData, Failure> {
        let topic = if connection.version::<ProduceRequest>()? < PRODUCE_BY_ID {
            TopicProduceData::default().with_name(topic_name(topic))
        } else {
            TopicProduceData::default().with_topic_id(Uuid::from_u128(self.topic_id))
        };
        Ok(topic.with_partition_data(data))
    }

    /// The partitions that a broker leads.
    pub(crate) fn led_by(&self, broker: BrokerId) -> Vec<i32> {
        self.leaders.iter().filter(|(_, leader)| **leader == broker).map(|(partition, _)| *partition).collect()
    }
}

fn address(host: &StrBytes, port: i32) -> Result<Address, Failure> {
    let port = u16::try_from(port).map_err(|_| malformed("a broker's address", format!("port {port}")))?;
    Ok(Address { host: host.as_str().into(), port })
}

/// Growing pauses up to a deadline.
#[derive(Debug)]
pub(crate) struct Pauses {
    deadline: Instant,
    pause: Duration,
}

impl Pauses {
    pub(crate) const fn until(deadline: Instant) -> Self {
        Self { deadline, pause: PAUSE }
    }

    /// Waits; false once the deadline has passed.
    pub(crate) async fn next(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };

    use super::*;

    fn response(leaders: &[i32]) -> MetadataResponse {
        let partition = |(index, leader): (i32, &i32)| {
            MetadataResponsePartition::default().with_partition_index(index).with_leader_id(BrokerId(*leader))
        };
        let topic = MetadataResponseTopic::default().with_partitions((0..).zip(leaders).map(partition).collect());
        let broker = |id| {
            let host = StrBytes::from_static_str("localhost");
            MetadataResponseBroker::default().with_node_id(BrokerId(id)).with_host(host).with_port(9_092)
        };
        MetadataResponse::default().with_topics(vec![topic]).with_brokers((1..=3).map(broker).collect())
    }

    #[test]
    fn a_layout_needs_a_leader_for_each_partition() {
        let layout = Layout::of(&response(&[1, 2, 1]), &[0, 1, 2]).unwrap();
        assert_eq!((layout.led_by(BrokerId(1)), layout.led_by(BrokerId(3))), (vec![0, 2], vec![]));
        assert!(matches!(Layout::of(&response(&[1, -1]), &[0, 1]), Err(Failure::NoLeader(1))));
        assert!(matches!(Layout::of(&response(&[1]), &[0, 1]), Err(Failure::NoLeader(1))));
        assert!(Layout::of(&MetadataResponse::default(), &[0]).is_err());
    }

    #[test]
    fn another_leader_or_topic_is_noticed() {
        let layout = |leaders: &[i32], id| Layout { topic_id: id, ..Layout::of(&response(leaders), &[0, 1]).unwrap() };
        let before = layout(&[1, 2], 7);
        assert!(before.check_same(&layout(&[1, 2, 3], 7)).is_ok());
        assert!(matches!(before.check_same(&layout(&[1, 3], 7)), Err(Failure::Moved(1))));
        assert!(matches!(before.check_same(&layout(&[1, 2], 8)), Err(Failure::Moved(0))));
    }
}
