//! Settings of the cluster, its protection, and of a lane: the partitions that one owner at a time appends to.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::clock::{Clock, SystemClock};
use crate::observer::Observer;

/// Host and port of a broker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// Reads `host:port` or `[ipv6]:port`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(|| format!("{text:?} is not host:port"))?;
        let port = port.parse().map_err(|_| format!("{text:?} does not end in a port"))?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(|| format!("{text:?} lacks a closing bracket"))?,
            None if host.contains(':') => return Err(format!("write the IPv6 address of {text:?} in brackets")),
            None => host,
        };
        if host.is_empty() { Err(format!("{text:?} has no host")) } else { Ok(Self { host: host.into(), port }) }
    }
}

/// How to reach a cluster.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Brokers to ask first, in this order.
    pub bootstrap: Vec<Address>,
    /// Name of this client in the logs of brokers and in quotas.
    pub client_id: String,
    /// TLS; `None` for plain connections.
    pub tls: Option<TlsSettings>,
    /// Authentication; `None` if TLS alone, or nothing, identifies the client.
    pub sasl: Option<Sasl>,
    /// Longest wait for a connection to be ready, with TLS and SASL.
    pub connect_timeout: Duration,
    /// Longest wait for the answer to a request.
    pub request_timeout: Duration,
    /// Largest response that is read, in bytes.
    pub max_response_bytes: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Gets every request; `None` if nobody counts them.
    pub observer: Option<Arc<dyn Observer>>,
}

impl ClusterSettings {
    /// Settings with the defaults: no TLS, no SASL, 10 s to connect, 30 s to answer, responses of at most 64 MiB.
    #[must_use]
    pub fn new(bootstrap: Vec<Address>) -> Self {
        Self {
            bootstrap,
            client_id: "cmgate".to_owned(),
            tls: None,
            sasl: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            max_response_bytes: 64 << 20,
            clock: Arc::new(SystemClock),
            observer: None,
        }
    }
}

/// TLS of a connection, as PEM texts.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Certificates of the authorities to trust; `None` for those of the system.
    pub authorities: Option<String>,
    /// Certificate chain and private key of this client.
    pub identity: Option<TlsIdentity>,
}

/// What proves who this client is.
#[derive(Clone, Debug)]
pub struct TlsIdentity {
    /// Certificate chain, PEM.
    pub certificates: String,
    /// Private key, PEM.
    pub key: SecretString,
}

/// Gets a token for OAUTHBEARER, each time a connection authenticates.
pub type TokenSource = Arc<dyn Fn() -> BoxFuture<'static, io::Result<SecretString>> + Send + Sync>;

/// A SASL mechanism with what it needs.
#[derive(Clone)]
pub enum Sasl {
    /// PLAIN (RFC 4616). The password is readable on the wire without TLS.
    Plain {
        /// User.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// SCRAM (RFC 5802, RFC 7677).
    Scram {
        /// Hash function.
        hash: ScramHash,
        /// User.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// OAUTHBEARER (RFC 7628).
    OauthBearer(TokenSource),
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mechanism())
    }
}

impl Sasl {
    /// Name of the mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram { hash: ScramHash::Sha256, .. } => "SCRAM-SHA-256",
            Self::Scram { hash: ScramHash::Sha512, .. } => "SCRAM-SHA-512",
            Self::OauthBearer(_) => "OAUTHBEARER",
        }
    }
}

/// Hash function of SCRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The partitions that one owner at a time appends to, and how.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Topic.
    pub topic: String,
    /// Its partitions of this lane.
    pub partitions: Vec<i32>,
    /// Transactional id that all owners of this lane share. Every writer of these partitions must use it.
    pub transactional_id: String,
    /// Longest time a fence may take.
    pub fence_timeout: Duration,
    /// Age at which a session ends so that the next one renews the fence; nothing is sent at twice this age. It must be well below
    /// `producer.id.expiration.ms` and `transactional.id.expiration.ms` of the brokers and the retention of the topic.
    pub renewal: Duration,
    /// Limits of what is sent.
    pub limits: Limits,
}

impl Lane {
    /// A lane with the defaults: 15 s for a fence, renewal after 1 h.
    #[must_use]
    pub fn new(topic: impl Into<String>, partitions: Vec<i32>, transactional_id: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            partitions,
            transactional_id: transactional_id.into(),
            fence_timeout: Duration::from_secs(15),
            renewal: Duration::from_hours(1),
            limits: Limits::default(),
        }
    }
}

/// Limits of what a session sends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest batch in bytes, before compression; at most `max.message.bytes` of the topic.
    pub batch_bytes: usize,
    /// Most records of a batch.
    pub batch_records: usize,
    /// Largest produce request in bytes; at least one batch is sent.
    pub request_bytes: usize,
    /// Most bytes that wait or are in flight; `append` waits beyond it.
    pub queue_bytes: usize,
    /// Requests in flight to one broker.
    pub in_flight: usize,
    /// Least time between two requests to a broker. The first request after a pause of this length leaves at once.
    pub floor: Duration,
    /// Compression of batches.
    pub compression: Compression,
    /// Time without a request after which a connection asks for metadata: below `connections.max.idle.ms` of the brokers.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_bytes: 1_000_000,
            batch_records: 1_000,
            request_bytes: 8 << 20,
            queue_bytes: 32 << 20,
            in_flight: 5,
            floor: Duration::from_millis(2),
            compression: Compression::None,
            keep_alive: Duration::from_mins(3),
        }
    }
}

/// Compression of batches. LZ4 has a safe implementation in Rust; zstd has none that compresses well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// LZ4 frames.
    Lz4,
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_is_host_and_port() {
        for (text, shown) in
            [("broker-1:9092", "broker-1:9092"), (" 10.0.0.1:1 ", "10.0.0.1:1"), ("[::1]:9092", "[::1]:9092")]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in ["broker", ":9092", "broker:", "broker:70000", "::1:9092", "[::1:9092", ""] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
