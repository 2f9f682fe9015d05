//! `[kafka.properties]`: properties passed to librdkafka, except those that the delivery guarantee depends on.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{Invalid, require};
use super::setting::{self, Setting};

/// Properties that the guarantee (exactly once, in order) depends on, each with its aliases.
const REFUSED: [&str; 30] = [
    "acks",
    "request.required.acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "metadata.broker.list",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "message.max.bytes",
    "message.timeout.ms",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "enabled_events",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.send.max.retries",
    "retries",
    "partitioner",
    "queuing.strategy",
    "allow.auto.create.topics",
    "test.mock.broker.rtt",
    "test.mock.num.brokers",
    "transaction.timeout.ms",
    "transactional.id",
];

/// Properties by name. Any value may be a password, so none is shown.
#[derive(Clone, Default)]
pub struct Properties(pub(super) BTreeMap<String, SecretString>);

/// Files with the values of properties, by the names of the properties.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PropertyFiles(BTreeMap<String, PropertyFile>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PropertyFile(#[serde(with = "setting")] PathBuf);

impl Properties {
    /// Names and values, the values for the Kafka client only.
    pub fn expose(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        for name in self.0.keys() {
            let problem =
                format!("must not set {name:?}: the delivery guarantee depends on the value that the service sets");
            require(!REFUSED.contains(&name.to_ascii_lowercase().as_str()), "kafka.properties", problem)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, "***"))).finish()
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for name in self.0.keys() {
            map.serialize_entry(name, "***")?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Value(#[serde(deserialize_with = "setting::deserialize")] SecretString);

        let values = BTreeMap::<String, Value>::deserialize(deserializer)?;
        Ok(Self(values.into_iter().map(|(name, value)| (name, value.0)).collect()))
    }
}

impl Setting for SecretString {
    const EXPECTED: &'static str = "text, a number or a boolean";
    const IS_SECRET: bool = true;

    fn read(text: &str) -> Option<Self> {
        Some(text.into())
    }

    fn write(&self) -> String {
        "***".to_owned()
    }
}
