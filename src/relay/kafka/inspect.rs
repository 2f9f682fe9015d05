//! Inspection of the cluster and the topic. It changes nothing: it neither creates the topic nor fences a publisher.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::protocol::StrBytes;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataBroker;
use tokio::task::spawn_blocking;

use super::publisher::transactional_id;
use super::topic::{ask_metadata, find_topic, is_unknown};
use super::wire::{Access, Connection};
use super::{KafkaFailure, KafkaSettings, TopicDescription, drop_elsewhere};
use crate::store::TopicIdentity;

/// Maximum number of brokers that are asked.
const MAX_BROKERS: usize = 16;
/// The topic in which the cluster keeps transactions. The first request about a transaction would create it.
const TRANSACTIONS: &str = "__transaction_state";
/// `key_type` of a transactional id in `FindCoordinator`.
const TRANSACTION_KEY: i8 = 1;
/// The operations of the relay on the topic, by their number (`AclOperation`).
const OPERATIONS: [(u32, &str); 3] = [(3, "Read"), (4, "Write"), (8, "Describe")];

/// What an inspection found.
#[derive(Debug)]
pub struct ClusterReport {
    /// Id of the cluster, if known.
    pub cluster: Option<String>,
    /// Number of its brokers.
    pub brokers: usize,
    /// The brokers of the settings that do not answer, with the reasons.
    pub silent: Vec<(String, String)>,
    /// The topic; `None` if it does not exist.
    pub topic: Option<TopicReport>,
    /// Whether the account may use transactions.
    pub transactions: Transactions,
    /// The settings of the broker that the relay depends on, or why they cannot be read.
    pub broker_settings: Result<BTreeMap<String, String>, String>,
}

/// The topic of the events.
#[derive(Debug)]
pub struct TopicReport {
    /// Identity and number of partitions.
    pub description: TopicDescription,
    /// The partitions.
    pub partitions: Vec<PartitionReport>,
    /// Operations that the account lacks; `None` if that is unknown.
    pub denied: Option<Vec<&'static str>>,
    /// The settings of the topic, or why they cannot be read.
    pub settings: Result<BTreeMap<String, String>, String>,
}

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionReport {
    /// Its number.
    pub number: i32,
    /// Whether it has a leader.
    pub has_leader: bool,
    /// Number of its replicas.
    pub replicas: usize,
    /// Number of its replicas that are in sync.
    pub in_sync: usize,
}

/// Whether the account may use transactions, as far as that can be told without beginning one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transactions {
    /// The cluster tells it the coordinator of its transactions.
    Allowed,
    /// The cluster refuses it.
    Denied(String),
    /// Unknown, for this reason.
    Unknown(&'static str),
}

/// The answer to metadata questions, before the settings are read.
struct Metadata {
    cluster: Option<String>,
    brokers: Vec<i32>,
    topic: Option<FoundTopic>,
    transactions: Transactions,
}

/// The topic, before its settings are read.
struct FoundTopic {
    description: TopicDescription,
    partitions: Vec<PartitionReport>,
    denied: Option<Vec<&'static str>>,
}

/// A broker that does not answer, with the reason.
type Silent = (String, String);

/// Inspects the cluster and the topic within a time limit.
///
/// # Errors
/// No broker answers.
pub async fn inspect(settings: &KafkaSettings, limit: Duration) -> Result<ClusterReport, KafkaFailure> {
    let deadline = Instant::now() + limit;
    let (metadata, silent) = match Access::of(&settings.properties) {
        Some(access) => ask_all(settings, &access, deadline).await?,
        None => (ask_librdkafka(settings, deadline).await?, Vec::new()),
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let broker = metadata.brokers.first().copied();
    let broker_settings = match broker {
        Some(id) => read_settings(settings, &ResourceSpecifier::Broker(id), left).await,
        None => Err("the cluster lists no broker".to_owned()),
    };
    let topic = match metadata.topic {
        Some(FoundTopic { description, partitions, denied }) => {
            let settings = read_settings(settings, &ResourceSpecifier::Topic(&settings.topic), left).await;
            Some(TopicReport { description, partitions, denied, settings })
        }
        None => None,
    };
    let brokers = metadata.brokers.len();
    Ok(ClusterReport {
        cluster: metadata.cluster,
        brokers,
        silent,
        topic,
        transactions: metadata.transactions,
        broker_settings,
    })
}

/// Asks every broker at once. The first answer that has the topic counts; a broker that just started may not know it yet.
async fn ask_all(
    settings: &KafkaSettings,
    access: &Access,
    deadline: Instant,
) -> Result<(Metadata, Vec<Silent>), KafkaFailure> {
    let brokers = settings.brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()).take(MAX_BROKERS);
    let questions: Vec<_> = brokers
        .map(|broker| {
            let (broker, settings, access) = (broker.to_owned(), settings.clone(), access.clone());
            (broker.clone(), spawn_blocking(move || ask(&broker, &settings, &access, deadline)))
        })
        .collect();
    let mut best: Option<Metadata> = None;
    let mut silent = Vec::new();
    for (broker, question) in questions {
        match question.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(metadata) => {
                if best.as_ref().is_none_or(|best| best.topic.is_none()) {
                    best = Some(metadata);
                }
            }
            Err(error) => silent.push((broker, error)),
        }
    }
    let Some(metadata) = best else {
        let reasons: Vec<String> = silent.into_iter().map(|(broker, error)| format!("{broker}: {error}")).collect();
        return Err(KafkaFailure::Describe(io::Error::other(reasons.join("; "))));
    };
    Ok((metadata, silent.into_iter().map(|(broker, error)| (broker, error.to_string())).collect()))
}

fn ask(broker: &str, settings: &KafkaSettings, access: &Access, deadline: Instant) -> io::Result<Metadata> {
    let mut connection = Connection::open(broker, access, deadline)?;
    let answer = ask_metadata(&mut connection, &[&settings.topic, TRANSACTIONS], true)?;
    let brokers = answer.brokers.iter().map(|broker| broker.node_id.0).collect();
    let cluster = answer.cluster_id.as_ref().map(StrBytes::to_string);
    let topic = find_topic(&answer, &settings.topic).filter(|topic| !is_unknown(topic));
    let topic = topic.map(|topic| describe(topic, settings, answer.cluster_id.as_ref())).transpose()?;
    let transactions = match find_topic(&answer, TRANSACTIONS) {
        Some(topic) if topic.error_code == 0 => find_coordinator(&mut connection, settings)?,
        Some(topic) if is_unknown(topic) => Transactions::Unknown("the cluster has had no transaction yet"),
        _ => Transactions::Unknown("the account may not describe the topic of the transactions"),
    };
    Ok(Metadata { cluster, brokers, topic, transactions })
}

fn describe(
    topic: &MetadataResponseTopic,
    settings: &KafkaSettings,
    cluster: Option<&StrBytes>,
) -> io::Result<FoundTopic> {
    Ok(FoundTopic {
        description: TopicDescription::read(topic, settings, cluster)?,
        partitions: partitions(topic),
        denied: denied(topic.topic_authorized_operations),
    })
}

fn partitions(topic: &MetadataResponseTopic) -> Vec<PartitionReport> {
    let report = topic.partitions.iter().map(|partition| PartitionReport {
        number: partition.partition_index,
        has_leader: partition.leader_id.0 >= 0,
        replicas: partition.replica_nodes.len(),
        in_sync: partition.isr_nodes.len(),
    });
    report.collect()
}

/// The operations of the relay that are not among the permitted ones, which are bits (KIP-430).
fn denied(permitted: i32) -> Option<Vec<&'static str>> {
    let is_denied = |(operation, _): &&(u32, &str)| permitted & (1 << operation) == 0;
    // The smallest number stands for an answer without operations.
    (permitted != i32::MIN).then(|| OPERATIONS.iter().filter(is_denied).map(|(_, name)| *name).collect())
}

/// Asks for the coordinator of the relay's transactions, which needs the right to describe them.
fn find_coordinator(connection: &mut Connection, settings: &KafkaSettings) -> io::Result<Transactions> {
    /// Requests from this version on name several keys.
    const SEVERAL_KEYS: i16 = 4;

    let version = connection.version::<FindCoordinatorRequest>();
    let key = StrBytes::from_string(transactional_id(settings, 0, 0));
    let request = FindCoordinatorRequest::default().with_key_type(TRANSACTION_KEY);
    let request = if version < SEVERAL_KEYS { request.with_key(key) } else { request.with_coordinator_keys(vec![key]) };
    let answer = connection.ask(&request, version)?;
    let code = answer.coordinators.first().map_or(answer.error_code, |found| found.error_code);
    Ok(match ResponseError::try_from_code(code) {
        None => Transactions::Allowed,
        Some(
            error @ (ResponseError::TransactionalIdAuthorizationFailed | ResponseError::ClusterAuthorizationFailed),
        ) => Transactions::Denied(error.to_string()),
        Some(_) => Transactions::Unknown("the coordinator of the transactions is not available"),
    })
}

/// Asks through librdkafka, which supports every way to connect but knows less.
async fn ask_librdkafka(settings: &KafkaSettings, deadline: Instant) -> Result<Metadata, KafkaFailure> {
    let settings = settings.clone();
    let asked = spawn_blocking(move || {
        let client: BaseConsumer = settings.client().create().map_err(KafkaFailure::Settings)?;
        let left = || deadline.saturating_duration_since(Instant::now());
        let metadata = client
            .fetch_metadata(Some(&settings.topic), left())
            .map_err(|error| KafkaFailure::Call("answer with metadata", error))?;
        let cluster = client.client().fetch_cluster_id(left());
        drop_elsewhere(client);
        let topic = metadata.topics().iter().find(|topic| topic.name() == settings.topic);
        let topic = topic.filter(|topic| !topic.partitions().is_empty()).map(|topic| {
            let partitions: Vec<_> = topic
                .partitions()
                .iter()
                .map(|partition| PartitionReport {
                    number: partition.id(),
                    has_leader: partition.leader() >= 0,
                    replicas: partition.replicas().len(),
                    in_sync: partition.isr().len(),
                })
                .collect();
            let identity = TopicIdentity { topic: settings.topic.clone(), cluster: cluster.clone(), topic_id: None };
            let description = TopicDescription { identity, partitions: partitions.len() };
            FoundTopic { description, partitions, denied: None }
        });
        let brokers = metadata.brokers().iter().map(MetadataBroker::id).collect();
        let transactions = Transactions::Unknown("it shows only with security.protocol plaintext or sasl_plaintext");
        Ok(Metadata { cluster, brokers, topic, transactions })
    });
    asked.await.unwrap_or_else(|error| Err(KafkaFailure::Describe(io::Error::other(error))))
}

/// Reads the settings of a topic or broker.
async fn read_settings(
    settings: &KafkaSettings,
    resource: &ResourceSpecifier<'_>,
    limit: Duration,
) -> Result<BTreeMap<String, String>, String> {
    let admin: AdminClient<DefaultClientContext> = settings.client().create().map_err(|error| error.to_string())?;
    let options = AdminOptions::new().request_timeout(Some(limit));
    let answer = admin.describe_configs([resource], &options).await;
    drop_elsewhere(admin);
    let answer = answer.map_err(|error| error.to_string())?.into_iter().next();
    let ConfigResource { entries, .. } =
        answer.ok_or("the cluster gave no result")?.map_err(|code| code.to_string())?;
    Ok(entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect())
}

#[cfg(test)]
mod tests {
    use super::denied;

    #[test]
    fn missing_operations_are_named() {
        let all = 0b1_0001_1111_1000;
        assert_eq!(denied(all), Some(Vec::new()));
        assert_eq!(denied(all & !(1 << 4)), Some(vec!["Write"]));
        assert_eq!(denied(1 << 8), Some(vec!["Read", "Write"]));
        assert_eq!(denied(0), Some(vec!["Read", "Write", "Describe"]));
        assert_eq!(denied(i32::MIN), None, "an old broker does not say");
    }
}
