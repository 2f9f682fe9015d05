//! `[kafka]`: the brokers and the topic of the events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{Invalid, require, require_within};
use super::properties::{Properties, PropertyFiles};
use super::setting::{self, Setting};
use crate::domain::ShardCount;

/// `[kafka]`: the brokers and the topic of the events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// `host:port` of one or more brokers, separated by commas. Empty, the default: a test broker within the process, in
    /// development mode only.
    #[serde(with = "setting")]
    pub brokers: String,
    /// Topic of the events. Default: `cmgate.requests.events.v1`.
    #[serde(with = "setting")]
    pub topic: String,
    /// Partitions of the topic, equal to the shards of the event log. Fixed when the database is created. Default: 8.
    #[serde(deserialize_with = "setting::deserialize", serialize_with = "write_count")]
    pub partitions: ShardCount,
    /// Replicas of each partition when the service creates the topic. Default: 1 in development, 3 in production.
    #[serde(deserialize_with = "setting::deserialize")]
    pub replication_factor: u16,
    /// Partition groups, each published by one relay worker. Fixed when the database is created. Default: 2.
    #[serde(deserialize_with = "setting::deserialize")]
    pub partition_groups: u16,
    /// Source of the events (`ce_source` of their records), a URI reference. Default: `/cmgate`.
    #[serde(with = "setting")]
    pub source: String,
    /// How events get to the topic: `transactions`, or `fenced` for less latency, on brokers that pass a test at the first start. Fixed
    /// when the database is first published. Default: `transactions`.
    #[serde(with = "setting")]
    pub publish: Publish,
    /// How long a transaction may stay open before the broker aborts it; also bounds the wait for a commit. At most the
    /// broker's `transaction.max.timeout.ms`. Default: `10s`.
    #[serde(with = "setting")]
    pub transaction_timeout: Duration,
    /// Further properties of librdkafka, such as `security.protocol`. Their values are secret.
    pub properties: Properties,
    /// Files with the values of further properties, by name: `"sasl.password" = "/run/secrets/kafka"`.
    pub properties_file: PropertyFiles,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            topic: "cmgate.requests.events.v1".to_owned(),
            partitions: DEFAULT_PARTITIONS,
            replication_factor: 1,
            partition_groups: 2,
            source: "/cmgate".to_owned(),
            publish: Publish::Transactions,
            transaction_timeout: Duration::from_secs(10),
            properties: Properties(BTreeMap::new()),
            properties_file: PropertyFiles::default(),
        }
    }
}

/// How events get to the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// One Kafka transaction per batch.
    Transactions,
    /// Idempotent batches of a producer that has fenced its predecessors.
    Fenced,
}

impl Setting for Publish {
    const EXPECTED: &'static str = "\"transactions\" or \"fenced\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "transactions" => Some(Self::Transactions),
            "fenced" => Some(Self::Fenced),
            _ => None,
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Transactions => "transactions",
            Self::Fenced => "fenced",
        }
        .to_owned()
    }
}

/// Most partition groups.
const MAX_GROUPS: u16 = 64;

/// Longest source. Every record carries it, and a record has room for the largest event and this much besides.
const MAX_SOURCE: usize = 1_000;

const DEFAULT_PARTITIONS: ShardCount = match ShardCount::new(8) {
    Some(count) => count,
    None => panic!("8 is between 1 and 1024, which the compiler checks by evaluating this"),
};

impl Kafka {
    /// The brokers; `None` for the test broker.
    #[must_use]
    pub fn brokers(&self) -> Option<&str> {
        (!self.brokers.is_empty()).then_some(&self.brokers)
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let brokers_are_valid = self.brokers.is_empty() || self.brokers.split(',').all(is_broker);
        require(brokers_are_valid, "kafka.brokers", "must be a list such as host1:9092,host2:9092")?;
        require(
            is_topic(&self.topic),
            "kafka.topic",
            format!("must be 1 to 249 letters, digits, dots, underscores and hyphens, not {:?}", self.topic),
        )?;
        require_within("kafka.replication_factor", &self.replication_factor, &(1..=32_767))?;
        require(
            (1..=self.partitions.get()).contains(&self.partition_groups),
            "kafka.partition_groups",
            format!("must be 1 to {}, the number of partitions, not {}", self.partitions.get(), self.partition_groups),
        )?;
        require(
            self.partition_groups <= MAX_GROUPS,
            "kafka.partition_groups",
            format!(
                "must be at most {MAX_GROUPS}, not {}: each needs threads and a database connection",
                self.partition_groups
            ),
        )?;
        let source_is_valid = !self.source.is_empty() && self.source.bytes().all(|byte| byte.is_ascii_graphic());
        require(source_is_valid, "kafka.source", "must be a URI reference: visible ASCII characters without spaces")?;
        require(self.source.len() <= MAX_SOURCE, "kafka.source", format!("must have at most {MAX_SOURCE} characters"))?;
        require(
            self.publish == Publish::Transactions || !self.brokers.is_empty(),
            "kafka.publish",
            "must be \"transactions\" unless kafka.brokers is set: the test broker does not refuse fenced producers",
        )?;
        let timeouts = Duration::from_secs(1)..=Duration::from_mins(15);
        require_within("kafka.transaction_timeout", &self.transaction_timeout, &timeouts)?;
        self.properties.check()
    }
}

fn is_broker(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else { return false };
    let host_is_valid = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    host_is_valid && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Whether Kafka accepts the name (`org.apache.kafka.common.internals.Topic`).
fn is_topic(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(is_legal)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn write_count<S: serde::Serializer>(count: &ShardCount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(count.get())
}
