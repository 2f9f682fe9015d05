//! Opens the store, and starts the test broker if no brokers are configured.

use std::sync::Arc;

use super::exit::{ExitError, ExitStatus, is_denied};
use super::settings::{Settings, StoreSettings};
use crate::relay::kafka::TestBroker;
use crate::store::{OpenFault, Postgres, SchemaUpdate, Sqlite, Store, StoreError};

/// Opens the store, which migrates it or refuses a schema that is not up to date.
pub(super) async fn store(settings: &StoreSettings, update: SchemaUpdate) -> Result<Arc<dyn Store>, ExitError> {
    let store: Arc<dyn Store> = match settings {
        StoreSettings::Postgres(settings) => Arc::new(Postgres::connect_with(settings, update).await?),
        StoreSettings::Sqlite(settings) => Arc::new(Sqlite::open_with(settings, update).await?),
    };
    Ok(store)
}

/// Checks that the database publishes in the configured mode, unless it has published nothing yet.
pub(super) async fn check_publishing(store: &dyn Store, settings: &Settings) -> Result<(), ExitError> {
    match store.publishing().await? {
        Some(bound) if !settings.has_test_broker() && bound != settings.relay.kafka.publishing => {
            Err(ExitError::new(ExitStatus::Usage, bound.conflict()))
        }
        _ => Ok(()),
    }
}

/// Checks that the Kafka clients accept the properties.
pub(super) fn check_kafka(settings: &Settings) -> Result<(), ExitError> {
    settings.relay.kafka.check().map_err(|error| ExitError::of(ExitStatus::Usage, &error))
}

/// Starts a test broker if no brokers are configured, and points the settings to it.
pub(super) fn test_broker(settings: &mut Settings) -> Result<Option<TestBroker>, ExitError> {
    if !settings.has_test_broker() {
        return Ok(None);
    }
    let broker = TestBroker::start(&mut settings.relay.kafka);
    broker.map(Some).map_err(|error| ExitError::of(ExitStatus::Internal, &error))
}

impl From<StoreError> for ExitError {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Unavailable(_)
            | StoreError::Busy(_)
            | StoreError::ReadOnly(_)
            | StoreError::OutcomeUnknown(_)
            | StoreError::NoAnswer(_)
            | StoreError::Open { fault: OpenFault::Unavailable, .. } => ExitStatus::Unavailable,
            StoreError::Denied(_) | StoreError::Open { fault: OpenFault::Rights, .. } => ExitStatus::Denied,
            StoreError::File { source, .. } if is_denied(source) => ExitStatus::Denied,
            StoreError::Unfit(_)
            | StoreError::File { .. }
            | StoreError::Open { fault: OpenFault::Configuration, .. } => ExitStatus::Usage,
            StoreError::Refused(_)
            | StoreError::TooLargeTogether { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Migration(_) => ExitStatus::Internal,
        };
        Self::of(status, &error)
    }
}
