//! From the configuration to what it names: the store, and the settings of Kafka.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use crate::config::{Config, DatabaseKind};
use crate::exit::{Failure, FailureKind};
use crate::kafka::{KafkaSettings, TestBroker};
use crate::store::{OpenFault, Postgres, PostgresSettings, Sqlite, SqliteSettings, Store, StoreError, Topology};

/// Most queries of relay lanes at once.
const MAX_RELAY_QUERIES: u32 = 8;

/// Opens the configured store, which migrates it.
pub(super) async fn store(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    let topology = Topology { shards: config.kafka.partitions, lanes: config.kafka.lanes };
    let url = config.database.url.expose();
    let store: Arc<dyn Store> = match config.database.url.kind() {
        DatabaseKind::Postgres => {
            let max_connections = config.database.max_connections;
            // Relay lanes ask briefly and share; two more for the watch over the log and the figures.
            let relay_connections = u32::from(config.kafka.lanes).min(MAX_RELAY_QUERIES) + 2;
            let settings = PostgresSettings { url: url.to_owned(), max_connections, relay_connections, topology };
            Arc::new(Postgres::connect(&settings).await?)
        }
        DatabaseKind::Sqlite => {
            let path = PathBuf::from(url.trim_start_matches("sqlite://"));
            Arc::new(Sqlite::open(&SqliteSettings { path, topology }).await?)
        }
    };
    Ok(store)
}

/// The settings of Kafka, with a test broker started for them if no other is configured.
pub(super) fn kafka(config: &Config) -> Result<(KafkaSettings, Option<TestBroker>), Failure> {
    let kafka = &config.kafka;
    let secret = |(name, value): (&str, &str)| (name.to_owned(), SecretString::from(value));
    let mut settings = KafkaSettings {
        brokers: kafka.brokers().unwrap_or_default().to_owned(),
        topic: kafka.topic.clone(),
        partitions: kafka.partitions,
        replication_factor: kafka.replication_factor,
        source: kafka.source.clone(),
        transaction_timeout: kafka.transaction_timeout,
        is_volatile: false,
        properties: kafka.properties.expose().map(secret).collect(),
    };
    if kafka.brokers().is_some() {
        return Ok((settings, None));
    }
    let broker = TestBroker::start(&mut settings).map_err(|error| Failure::of(FailureKind::Internal, &error))?;
    Ok((settings, Some(broker)))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Unavailable(_)
            | StoreError::Busy(_)
            | StoreError::ReadOnly(_)
            | StoreError::OutcomeUnknown(_)
            | StoreError::NoAnswer(_)
            | StoreError::Open { fault: OpenFault::Unavailable, .. } => FailureKind::Unavailable,
            StoreError::Denied(_) | StoreError::Open { fault: OpenFault::Rights, .. } => FailureKind::Denied,
            StoreError::File { source, .. } if is_denied(source) => FailureKind::Denied,
            StoreError::Unfit(_)
            | StoreError::File { .. }
            | StoreError::Open { fault: OpenFault::Configuration, .. } => FailureKind::Usage,
            StoreError::Refused(_)
            | StoreError::TooLargeTogether { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Migration(_) => FailureKind::Internal,
        };
        Self::of(kind, &error)
    }
}

fn is_denied(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}
