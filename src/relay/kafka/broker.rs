//! The test broker inside this process, for development without Kafka.
//!
//! It is the one that librdkafka has for its own tests: any client can connect, but it keeps nothing and does not hide
//! aborted records. The configuration refuses it outside the development mode.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::{KafkaFailure, KafkaSettings};

/// A broker that lives as long as this value.
pub struct TestBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl TestBroker {
    /// Starts a broker with a topic for `settings`, which then point to it.
    ///
    /// # Errors
    /// What librdkafka says.
    pub fn start(settings: &mut KafkaSettings) -> Result<Self, KafkaFailure> {
        let failed = |error| KafkaFailure::Call("start the test broker", error);
        let cluster = MockCluster::new(1).map_err(failed)?;
        cluster.create_topic(&settings.topic, settings.partitions.get().into(), 1).map_err(failed)?;
        settings.brokers = cluster.bootstrap_servers();
        settings.is_volatile = true;
        Ok(Self { cluster })
    }

    /// Its `host:port`, for Kafka clients in other processes.
    #[must_use]
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
