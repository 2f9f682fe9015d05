//! The settings of Kafka, and the librdkafka properties that follow from them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::BaseProducer;
use secrecy::{ExposeSecret, SecretString};

use super::property::PropertyError;
use super::window;
use crate::domain::ShardCount;
use crate::store::Publishing;

/// The cluster and the topic.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Name of the topic that gets the events.
    pub topic: String,
    /// Its partitions, which are the shards of the log.
    pub partitions: ShardCount,
    /// Replicas of each partition, when the topic is made.
    pub replication_factor: u16,
    /// `ce_source` of every record.
    pub source: String,
    /// How events get to the topic.
    pub publishing: Publishing,
    /// How long a transaction may stay open, which bounds how long a relay that hangs can block consumers.
    pub transaction_timeout: Duration,
    /// Whether the cluster loses its data when it stops, as the built-in test broker does; the relay then starts at the first position
    /// whenever the topic is empty.
    pub is_volatile: bool,
    /// More properties of librdkafka, for example `security.protocol`.
    pub properties: BTreeMap<String, SecretString>,
}

impl KafkaSettings {
    /// Checks that librdkafka accepts the properties, and the fenced publisher if it is configured. Waits for no broker.
    ///
    /// # Errors
    /// Which property is unknown, not supported, or has a value that is refused.
    pub fn check(&self) -> Result<(), PropertyError> {
        if self.publishing == Publishing::Fenced {
            self.cluster()?;
        }
        let refused = |error| self.refused(error);
        self.consumer("read_committed").create_native_config().map(drop).map_err(refused)?;
        if self.brokers.is_empty() {
            // A client without a broker logs a warning.
            return Ok(());
        }
        // librdkafka checks some properties, such as mechanisms of SASL, only when it makes a client.
        let producer: KafkaResult<BaseProducer> = self.producer("check").create();
        producer.map(drop).map_err(refused)
    }

    fn refused(&self, error: KafkaError) -> PropertyError {
        let mut problem = match error {
            KafkaError::ClientConfig(_, problem, _, _) | KafkaError::ClientCreation(problem) => problem,
            other => other.to_string(),
        };
        // librdkafka quotes values, and each may be a password.
        for value in self.properties.values().map(ExposeSecret::expose_secret).filter(|value| !value.is_empty()) {
            problem = problem.replace(&format!("\"{value}\""), "\"***\"");
        }
        PropertyError::new(format!("librdkafka says: {problem}"))
    }

    /// Longest wait for one call, other than a commit.
    pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

    /// Longest wait for deliveries and for a commit. It exceeds the transaction timeout, so that the restart of a broker costs time
    /// instead of an unknown outcome.
    pub(super) fn commit_timeout(&self) -> Duration {
        self.transaction_timeout + Duration::from_secs(5)
    }

    /// Properties of every client.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            config.set(name, value.expose_secret());
        }
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", "cmgate");
        // Reconnect quickly: events are waiting, and there are few brokers.
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "1000");
        config
    }

    /// Properties of a transactional producer.
    pub(super) fn producer(&self, transactional_id: &str) -> ClientConfig {
        let millis = self.transaction_timeout.as_millis().to_string();
        let mut config = self.client();
        config.set("transactional.id", transactional_id);
        config.set("transaction.timeout.ms", &millis);
        config.set("message.timeout.ms", &millis);
        // The worker builds the batches; lingering in librdkafka would only add latency.
        config.set("linger.ms", "0");
        config.set("queue.buffering.max.messages", "100000");
        // Fits the largest event, and Kafka's default limit.
        config.set("message.max.bytes", "1000000");
        config
    }

    /// Properties of a consumer that reads tails.
    pub(super) fn consumer(&self, isolation_level: &str) -> ClientConfig {
        let mut config = self.client();
        // librdkafka requires one, although the relay joins no consumer group and commits no offset.
        config.set("group.id", "cmgate-relay");
        config.set("isolation.level", isolation_level);
        config.set("enable.partition.eof", "true");
        config.set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "error");
        config.set("fetch.wait.max.ms", "5");
        config.set("fetch.min.bytes", "1");
        window::bound(&mut config);
        config
    }
}
