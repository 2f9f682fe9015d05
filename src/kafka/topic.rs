//! The topic: made if it does not exist, refused if it does not fit.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;

use super::{KafkaFailure, KafkaSettings, drop_elsewhere};

/// Makes sure that the topic exists with a partition for each shard.
///
/// # Errors
/// [`KafkaFailure::PartitionCount`] if it exists with another number; otherwise what the cluster says.
pub async fn ensure_topic(settings: &KafkaSettings) -> Result<(), KafkaFailure> {
    let expected = usize::from(settings.partitions.get());
    if partitions(settings)? == 0 {
        create(settings).await?;
    }
    // A topic that was just made may take a moment to be known everywhere.
    let actual = match partitions(settings)? {
        0 => return Err(create_failed(settings, "the cluster does not know it yet")),
        actual => actual,
    };
    if actual == expected {
        return Ok(());
    }
    Err(KafkaFailure::PartitionCount { topic: settings.topic.clone(), expected, actual })
}

/// Number of partitions; 0 if there is no such topic.
fn partitions(settings: &KafkaSettings) -> Result<usize, KafkaFailure> {
    let client: BaseConsumer = settings.client().create().map_err(KafkaFailure::Settings)?;
    let metadata = client
        .fetch_metadata(Some(&settings.topic), KafkaSettings::CALL_TIMEOUT)
        .map_err(|error| KafkaFailure::Call("answer with metadata", error))?;
    drop_elsewhere(client);
    let topic = metadata.topics().iter().find(|topic| topic.name() == settings.topic);
    Ok(topic.map_or(0, |topic| topic.partitions().len()))
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
        // Another process may have been faster.
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
