//! The commands by which an operator decides for the relay.

use super::open;
use crate::cli::{EmptyTopic, Relay};
use crate::config::Config;
use crate::exit::{Failure, FailureKind};
use crate::kafka::KafkaFailure;
use crate::relay::{Operator, OperatorError, StartFrom};

/// Carries out a decision.
///
/// # Errors
/// What kept it from taking effect.
pub(super) async fn decide(config: &Config, command: &Relay) -> Result<(), Failure> {
    if config.kafka.brokers().is_none() {
        let message = "kafka.brokers is not set; the relay asks nothing of an operator about the built-in test broker";
        return Err(Failure::new(FailureKind::Usage, message));
    }
    let store = open::store(config).await?;
    let (kafka, _) = open::kafka(config)?;
    let outcome = carry_out(Operator { store: &*store, kafka: &kafka }, command).await;
    store.close().await;
    Ok(outcome?)
}

async fn carry_out(operator: Operator<'_>, command: &Relay) -> Result<(), OperatorError> {
    match command {
        Relay::AllowEmptyTopic(EmptyTopic { from_start, .. }) => {
            let from = if *from_start { StartFrom::Start } else { StartFrom::Checkpoint };
            for checkpoint in operator.allow_empty_topic(from).await? {
                tracing::info!(
                    shard = checkpoint.shard.number(),
                    after = checkpoint.position.get(),
                    "the relay may begin this empty partition after this position"
                );
            }
        }
        Relay::AdoptTopic => {
            for loss in operator.adopt_topic().await? {
                tracing::warn!(%loss, "the topic lacks records");
            }
            tracing::info!(topic = operator.kafka.topic, "the database has this topic now");
        }
        Relay::Republish(wanted) => {
            let checkpoint = operator.republish(wanted.shard, wanted.after).await?;
            tracing::info!(
                shard = checkpoint.shard.number(),
                after = checkpoint.position.get(),
                "the relay publishes again what follows this position"
            );
        }
        Relay::IgnoreRecord(wanted) => {
            let checkpoint = operator.ignore_record(wanted.shard, wanted.offset).await?;
            tracing::info!(
                shard = checkpoint.shard.number(),
                to = checkpoint.ignored_to,
                "records of others up to this offset may stay"
            );
        }
    }
    Ok(())
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Refused(text) => Self::new(FailureKind::Usage, text),
            OperatorError::Kafka(failure @ KafkaFailure::Settings(_)) => Self::of(FailureKind::Usage, &failure),
            OperatorError::Kafka(_) => Self::of(FailureKind::Unavailable, &error),
            OperatorError::Store(error) => error.into(),
        }
    }
}
