//! Whether the cluster refuses the batches of a fenced producer, tried on a topic of its own, which is deleted afterwards.

use std::time::Duration;

use cmgate_fence::{Cluster, Lane};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use uuid::Uuid;

use super::{KafkaFailure, KafkaSettings};

/// Most characters of the configured name in the name of the test's topic, which has at most 249.
const NAME_CHARS: usize = 190;

/// Tries on a new topic whether the cluster refuses a fenced producer.
///
/// # Errors
/// [`KafkaFailure::NotEnforced`] if it does not; otherwise what kept the test from a verdict.
pub async fn self_test(settings: &KafkaSettings) -> Result<(), KafkaFailure> {
    let prefix: String = settings.topic.chars().take(NAME_CHARS).collect();
    let topic = format!("{prefix}.self-test-{}", Uuid::new_v4().simple());
    let admin: AdminClient<DefaultClientContext> = settings.client().create().map_err(KafkaFailure::Settings)?;
    let options = AdminOptions::new()
        .request_timeout(Some(KafkaSettings::CALL_TIMEOUT))
        .operation_timeout(Some(KafkaSettings::CALL_TIMEOUT));
    let failed = |reason: String| KafkaFailure::CreateTopic { topic: topic.clone(), reason };
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(settings.replication_factor.into()));
    let created = admin.create_topics(&[new], &options).await;
    let created = created.map_err(|error| KafkaFailure::Call("create the topic of the self-test", error))?;
    if let Some(Err((_, code))) = created.into_iter().next() {
        return Err(failed(code.to_string()));
    }
    let lane = Lane { fence_timeout: settings.commit_timeout(), ..Lane::new(&topic, vec![0], &topic) };
    let verdict = match settings.cluster() {
        Ok((cluster, _)) => match Cluster::new(cluster) {
            Ok(cluster) => test(&cluster, &lane, settings.commit_timeout()).await,
            Err(failure) => Err(failure.into()),
        },
        Err(error) => Err(error.into()),
    };
    if let Err(error) = admin.delete_topics(&[&topic], &options).await {
        tracing::warn!(%error, topic, "the topic of the self-test was not deleted; delete it");
    }
    verdict?;
    tracing::info!("the cluster refuses fenced producers");
    Ok(())
}

async fn test(cluster: &Cluster, lane: &Lane, limit: Duration) -> Result<(), KafkaFailure> {
    match tokio::time::timeout(limit * 2, cmgate_fence::self_test(cluster, lane)).await {
        Ok(verdict) => Ok(verdict?),
        Err(_) => Err(KafkaFailure::SelfTestTimeout),
    }
}
