//! The commands of an operator that override a halted relay.

use super::arguments::{EmptyTopic, Relay};
use super::exit::{ExitError, ExitStatus};
use super::settings::Settings;
use super::wiring;
use crate::relay::kafka::KafkaFailure;
use crate::relay::{Operator, OperatorError, StartFrom};
use crate::store::SchemaUpdate;

/// Runs an operator override.
///
/// # Errors
/// Why it was refused or failed.
pub(super) async fn decide(settings: &Settings, command: &Relay) -> Result<(), ExitError> {
    if settings.has_test_broker() {
        let message = "kafka.brokers is not set; the built-in test broker needs no relay commands";
        return Err(ExitError::new(ExitStatus::Usage, message));
    }
    let store = wiring::store(&settings.store, SchemaUpdate::Migrate).await?;
    wiring::check_publishing(&*store, settings).await?;
    let outcome = carry_out(Operator { store: &*store, kafka: &settings.relay.kafka }, command).await;
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
                    "the relay will continue in this empty partition after this position"
                );
            }
        }
        Relay::AdoptTopic => {
            for loss in operator.adopt_topic().await? {
                tracing::warn!(%loss, "records are missing from the topic");
            }
            tracing::info!(topic = operator.kafka.topic, "this is now the topic of the database");
        }
        Relay::Republish(wanted) => {
            let checkpoint = operator.republish(wanted.shard, wanted.after).await?;
            tracing::info!(
                shard = checkpoint.shard.number(),
                after = checkpoint.position.get(),
                "the relay will publish the records after this position again"
            );
        }
        Relay::IgnoreRecord(wanted) => {
            let checkpoint = operator.ignore_record(wanted.shard, wanted.offset).await?;
            tracing::info!(
                shard = checkpoint.shard.number(),
                to = checkpoint.ignored_to,
                "foreign records up to this offset are accepted"
            );
        }
    }
    Ok(())
}

impl From<OperatorError> for ExitError {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Refused(text) => Self::new(ExitStatus::Usage, text),
            OperatorError::Kafka(failure @ KafkaFailure::Settings(_)) => Self::of(ExitStatus::Usage, &failure),
            OperatorError::Kafka(_) => Self::of(ExitStatus::Unavailable, &error),
            OperatorError::Store(error) => error.into(),
        }
    }
}
