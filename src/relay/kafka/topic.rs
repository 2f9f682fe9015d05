//! The topic: its identity, its partition count, its creation.

use std::io;
use std::sync::Once;
use std::time::Instant;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponse, MetadataResponseTopic};
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;

use super::wire::{Access, Connection, check};
use super::{KafkaFailure, KafkaSettings, drop_elsewhere};
use crate::store::TopicIdentity;

/// Metadata from this version on can be asked for without creating the topic.
const WITHOUT_CREATION: i16 = 4;
/// Metadata from this version on can name the permitted operations.
const WITH_OPERATIONS: i16 = 8;

/// One warning per process is enough.
static WARNED: Once = Once::new();

/// A topic as the cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Which topic it is.
    pub identity: TopicIdentity,
    /// Number of its partitions.
    pub partitions: usize,
}

impl TopicDescription {
    /// Reads what a broker says about the topic.
    pub(super) fn read(
        topic: &MetadataResponseTopic,
        settings: &KafkaSettings,
        cluster: Option<&StrBytes>,
    ) -> io::Result<Self> {
        check(topic.error_code, "to describe the topic")?;
        let identity = TopicIdentity {
            topic: settings.topic.clone(),
            cluster: cluster.map(StrBytes::to_string),
            // Brokers older than 2.8 have no topic ids.
            topic_id: Some(topic.topic_id).filter(|id| !id.is_nil()),
        };
        Ok(Self { identity, partitions: topic.partitions.len() })
    }

    /// Fails unless the topic has a partition for each shard.
    ///
    /// # Errors
    /// [`KafkaFailure::PartitionCount`].
    pub fn check_partitions(&self, settings: &KafkaSettings) -> Result<(), KafkaFailure> {
        let expected = usize::from(settings.partitions.get());
        if self.partitions == expected {
            return Ok(());
        }
        Err(KafkaFailure::PartitionCount { topic: settings.topic.clone(), expected, actual: self.partitions })
    }
}

/// Describes the topic; `None` if there is no such topic.
///
/// # Errors
/// What the cluster says.
pub fn describe_topic(settings: &KafkaSettings) -> Result<Option<TopicDescription>, KafkaFailure> {
    if settings.is_volatile {
        return describe_without_id(settings);
    }
    if let Some(access) = Access::of(&settings.properties) {
        return describe(settings, &access).map_err(KafkaFailure::Describe);
    }
    WARNED.call_once(|| {
        tracing::warn!(
            "cannot read the topic id with these kafka.properties (security.protocol plaintext, and sasl_plaintext with PLAIN, allow \
             it); a recreated topic is detected by its offsets and records alone"
        );
    });
    describe_without_id(settings)
}

/// Describes the topic, which is created if it does not exist.
///
/// # Errors
/// What the cluster says.
pub async fn describe_or_create_topic(settings: &KafkaSettings) -> Result<TopicDescription, KafkaFailure> {
    if let Some(found) = describe_topic(settings)? {
        return Ok(found);
    }
    create(settings).await?;
    // Brokers may not know a new topic at once.
    describe_topic(settings)?.ok_or_else(|| create_failed(settings, "the cluster does not list it yet"))
}

/// Fails if the topic has another id than this one, as far as ids are known.
pub(super) fn confirm_topic(settings: &KafkaSettings, topic: &TopicIdentity) -> Result<(), KafkaFailure> {
    let found = describe_topic(settings)?.map(|found| found.identity);
    let is_same = |found: TopicIdentity| match (found.topic_id, topic.topic_id) {
        (Some(found), Some(expected)) => found == expected,
        _ => true,
    };
    if found.is_some_and(is_same) { Ok(()) } else { Err(KafkaFailure::TopicReplaced(topic.topic.clone())) }
}

fn describe(settings: &KafkaSettings, access: &Access) -> io::Result<Option<TopicDescription>> {
    let deadline = Instant::now() + KafkaSettings::CALL_TIMEOUT;
    let mut answer = Err(io::Error::other("kafka.brokers names no broker"));
    for broker in settings.brokers.split(',').filter(|broker| !broker.trim().is_empty()) {
        match Connection::open(broker, access, deadline).and_then(|mut broker| describe_by(&mut broker, settings)) {
            Ok(Some(found)) => return Ok(Some(found)),
            // A broker that just started may not have the metadata yet.
            Ok(None) => answer = Ok(None),
            Err(error) if answer.is_err() => {
                answer = Err(io::Error::new(error.kind(), format!("{}: {error}", broker.trim())));
            }
            Err(_) => {}
        }
    }
    answer
}

fn describe_by(broker: &mut Connection, settings: &KafkaSettings) -> io::Result<Option<TopicDescription>> {
    let answer = ask_metadata(broker, &[&settings.topic], false)?;
    let topic = find_topic(&answer, &settings.topic);
    let topic = topic.ok_or_else(|| io::Error::other("the broker says nothing about the topic"))?;
    if is_unknown(topic) {
        return Ok(None);
    }
    TopicDescription::read(topic, settings, answer.cluster_id.as_ref()).map(Some)
}

/// Asks a broker about topics, which are not created.
pub(super) fn ask_metadata(
    broker: &mut Connection,
    topics: &[&str],
    with_operations: bool,
) -> io::Result<MetadataResponse> {
    let version = broker.version::<MetadataRequest>();
    if version < WITHOUT_CREATION {
        return Err(io::Error::other("Kafka 1.0 or newer is needed"));
    }
    let topic = |name: &&str| {
        MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string((*name).to_owned()))))
    };
    let request = MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false)
        .with_include_topic_authorized_operations(with_operations && version >= WITH_OPERATIONS);
    broker.ask(&request, version)
}

/// What an answer says about a topic.
pub(super) fn find_topic<'a>(answer: &'a MetadataResponse, name: &str) -> Option<&'a MetadataResponseTopic> {
    answer.topics.iter().find(|topic| topic.name.as_ref().is_some_and(|found| found.as_str() == name))
}

/// Whether the broker knows no such topic.
pub(super) fn is_unknown(topic: &MetadataResponseTopic) -> bool {
    topic.error_code == ResponseError::UnknownTopicOrPartition.code()
}

/// Describes the topic through librdkafka, which does not expose its id.
fn describe_without_id(settings: &KafkaSettings) -> Result<Option<TopicDescription>, KafkaFailure> {
    let client: BaseConsumer = settings.client().create().map_err(KafkaFailure::Settings)?;
    let metadata = client
        .fetch_metadata(Some(&settings.topic), KafkaSettings::CALL_TIMEOUT)
        .map_err(|error| KafkaFailure::Call("answer with metadata", error))?;
    let cluster = client.client().fetch_cluster_id(KafkaSettings::CALL_TIMEOUT);
    drop_elsewhere(client);
    let topic = metadata.topics().iter().find(|topic| topic.name() == settings.topic);
    let partitions = topic.map_or(0, |topic| topic.partitions().len());
    let identity = TopicIdentity { topic: settings.topic.clone(), cluster, topic_id: None };
    Ok((partitions > 0).then_some(TopicDescription { identity, partitions }))
}

async fn create(settings: &KafkaSettings) -> Result<(), KafkaFailure> {
    let admin: AdminClient<DefaultClientContext> = settings.client().create().map_err(KafkaFailure::Settings)?;
    let replication = TopicReplication::Fixed(settings.replication_factor.into());
    let topic = NewTopic::new(&settings.topic, settings.partitions.get().into(), replication);
    let options = AdminOptions::new()
        .request_timeout(Some(KafkaSettings::CALL_TIMEOUT))
        .operation_timeout(Some(KafkaSettings::CALL_TIMEOUT));
    let results =
        admin.create_topics(&[topic], &options).await.map_err(|error| KafkaFailure::Call("create the topic", error))?;
    match results.into_iter().next() {
        // Another process may have created it first.
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
            tracing::info!(topic = settings.topic, partitions = settings.partitions.get(), "topic created");
            Ok(())
        }
        Some(Err((_, code))) => Err(create_failed(settings, &code.to_string())),
        None => Err(create_failed(settings, "the cluster gave no result")),
    }
}

fn create_failed(settings: &KafkaSettings, reason: &str) -> KafkaFailure {
    KafkaFailure::CreateTopic { topic: settings.topic.clone(), reason: reason.to_owned() }
}
