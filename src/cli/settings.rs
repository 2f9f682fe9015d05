//! Turns the configuration into the settings of each part. Pure: it reads, opens and starts nothing.
//!
//! Defaults are in `config`; constants that an operator cannot set are here.

mod authentication;
mod limits;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;

use crate::config::{Config, DatabaseKind, LogFormat, Mode, Publish};
use crate::domain::Principal;
use crate::grpc::Origins;
use crate::http::ApiSettings;
use crate::http::auth::AuthenticationSettings;
use crate::http::auth::negotiate::MAX_TICKET_BYTES;
use crate::http::auth::proxy::MAX_IDENTITY_BYTES;
use crate::http::server::ServerSettings;
use crate::mimcm::FacadeSettings;
use crate::relay::RelaySettings;
use crate::relay::kafka::KafkaSettings;
use crate::runtime::network::Networks;
use crate::runtime::shutdown::ShutdownTimes;
use crate::runtime::tls::TlsSettings;
use crate::service::{Authority, WriterSettings};
use crate::store::{OlderTemplate, PostgresSettings, Publishing, SqliteSettings, Topology};

/// Interval at which the relay polls for events of other processes that share the database.
const SHARED_POLL: Duration = Duration::from_millis(2);
/// The same interval for a database that usually serves this process only.
const EMBEDDED_POLL: Duration = Duration::from_millis(100);

/// Maximum concurrent queries of relay workers. Their queries are short, so they share connections.
const MAX_RELAY_QUERIES: u32 = 8;
/// Connections for the watch over the log and for the metrics of the relay.
const RELAY_WATCHERS: u32 = 2;

/// Limit on the head of a request without a token.
const HEAD_BYTES: u32 = 16 << 10;
/// Maximum concurrent TLS handshakes per port. The handshakes in progress hold up to 64 KiB each.
const MAX_HANDSHAKES: usize = 512;
/// Maximum concurrent calls per HTTP/2 connection.
const MAX_CONCURRENT_STREAMS: u32 = 1_000;
/// Maximum wait for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time to read and discard the body of a call that was answered before its body was read.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(1);

/// The settings of every part of the process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the process is for.
    pub mode: Mode,
    /// The log.
    pub log: LogSettings,
    /// How long the process may take to stop.
    pub shutdown: ShutdownTimes,
    /// Directory of the profile templates.
    pub templates: PathBuf,
    /// What to do with templates older than those in the database.
    pub older_templates: OlderTemplate,
    /// The database.
    pub store: StoreSettings,
    /// How long idempotency keys are kept.
    pub keep_keys: Duration,
    /// The relay and Kafka. Without brokers, a test broker runs within the process.
    pub relay: RelaySettings,
    /// The writer.
    pub writer: WriterSettings,
    /// The account of the service, and its administrators.
    pub authority: Authority,
    /// How callers are authenticated.
    pub authentication: AuthenticationSettings,
    /// The calls of the public port.
    pub api: ApiSettings,
    /// Origins whose scripts may call.
    pub origins: Origins,
    /// The connections of both ports.
    pub server: ServerSettings,
    /// TLS of gRPC and REST; `None` if the port is not encrypted.
    pub tls: Option<TlsSettings>,
    /// TLS of health and metrics; `None` if the port is not encrypted.
    pub admin_tls: Option<TlsSettings>,
    /// The networks of the proxies that terminate TLS; empty if there are none.
    pub terminated: Networks,
    /// Address of gRPC and REST.
    pub listen: SocketAddr,
    /// Unix socket of gRPC and REST for the trusted proxy.
    pub listen_unix: Option<PathBuf>,
    /// Address of health and metrics.
    pub admin_listen: SocketAddr,
    /// File with the tokens of the admin port.
    pub admin_tokens: Option<PathBuf>,
    /// How often the files that may change are checked.
    pub reload_interval: Duration,
    /// Whether the banner shows example commands.
    pub shows_examples: bool,
}

/// Settings of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The format of its lines.
    pub format: LogFormat,
    /// A level, or directives such as `info,cmgate::relay=debug`.
    pub filter: String,
    /// Name of this process; empty: the name of the host.
    pub instance: String,
}

/// Which database, and how to open it.
#[derive(Clone)]
pub enum StoreSettings {
    /// Postgres.
    Postgres(PostgresSettings),
    /// SQLite.
    Sqlite(SqliteSettings),
}

impl StoreSettings {
    /// The database for logs and errors: kind, host, name and user, or the file; never a password.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Postgres(settings) => settings.target(),
            Self::Sqlite(settings) => settings.target(),
        }
    }

    /// The kind of the database, a label of metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
        }
    }
}

impl std::fmt::Debug for StoreSettings {
    /// Omits the URL of Postgres, which may contain a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Postgres(_) => f.write_str("Postgres"),
            Self::Sqlite(settings) => f.debug_tuple("Sqlite").field(&settings.path).finish(),
        }
    }
}

impl Settings {
    /// Derives the settings from a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            mode: config.mode,
            log: LogSettings {
                format: config.log.format,
                filter: config.log.filter.clone(),
                instance: config.log.instance.clone(),
            },
            shutdown: ShutdownTimes { delay: config.shutdown.delay, grace: config.shutdown.grace },
            templates: config.templates.clone(),
            older_templates: if config.templates_rollback { OlderTemplate::Restore } else { OlderTemplate::Keep },
            store: store(config),
            keep_keys: config.idempotency.keep,
            relay: RelaySettings { kafka: kafka(config), poll_interval: poll_interval(config) },
            writer: writer(config),
            authority: authority(config),
            authentication: authentication::settings(config),
            api: api(config),
            origins: origins(config),
            server: server(config),
            tls: tls::public(config),
            admin_tls: tls::admin(config),
            terminated: config.tls.terminated.clone(),
            listen: config.listen,
            listen_unix: config.listen_unix.0.clone(),
            admin_listen: config.admin_listen,
            admin_tokens: config.admin_token_file.0.clone(),
            reload_interval: config.tls.reload_interval,
            shows_examples: config.trusts_everyone(),
        }
    }

    /// Whether Kafka is a test broker within the process.
    #[must_use]
    pub const fn has_test_broker(&self) -> bool {
        self.relay.kafka.brokers.is_empty()
    }
}

impl Default for Settings {
    /// The settings of the default configuration.
    fn default() -> Self {
        Self::of(&Config::default())
    }
}

fn store(config: &Config) -> StoreSettings {
    let topology = Topology { shards: config.kafka.partitions, partition_groups: config.kafka.partition_groups };
    let url = config.database.url.expose();
    match config.database.url.kind() {
        DatabaseKind::Postgres => StoreSettings::Postgres(PostgresSettings {
            url: url.to_owned(),
            max_connections: config.database.max_connections,
            relay_connections: u32::from(config.kafka.partition_groups).min(MAX_RELAY_QUERIES) + RELAY_WATCHERS,
            topology,
        }),
        DatabaseKind::Sqlite => {
            StoreSettings::Sqlite(SqliteSettings { path: url.trim_start_matches("sqlite://").into(), topology })
        }
    }
}

fn kafka(config: &Config) -> KafkaSettings {
    let kafka = &config.kafka;
    let secret = |(name, value): (&str, &str)| (name.to_owned(), SecretString::from(value));
    KafkaSettings {
        brokers: kafka.brokers().unwrap_or_default().to_owned(),
        topic: kafka.topic.clone(),
        partitions: kafka.partitions,
        replication_factor: kafka.replication_factor,
        source: kafka.source.clone(),
        publishing: match kafka.publish {
            Publish::Transactions => Publishing::Transactions,
            Publish::Fenced => Publishing::Fenced,
        },
        transaction_timeout: kafka.transaction_timeout,
        is_volatile: false,
        properties: kafka.properties.expose().map(secret).collect(),
    }
}

const fn poll_interval(config: &Config) -> Duration {
    match config.database.url.kind() {
        DatabaseKind::Postgres => SHARED_POLL,
        DatabaseKind::Sqlite => EMBEDDED_POLL,
    }
}

const fn writer(config: &Config) -> WriterSettings {
    let workers = match config.database.url.kind() {
        DatabaseKind::Postgres => config.writer.workers,
        // The database file has one write lock; a second worker would only make batches smaller.
        DatabaseKind::Sqlite => 1,
    };
    WriterSettings { workers, max_batch: config.writer.max_batch, max_waiting: config.writer.max_waiting }
}

fn authority(config: &Config) -> Authority {
    let mut administrators = config.service.administrators.0.clone();
    if config.trusts_everyone() {
        administrators.push(Principal::User(config.development.user));
    }
    Authority { account: config.service.sid.clone(), administrators }
}

/// The configuration accepts only texts that are values of headers.
fn origins(config: &Config) -> Origins {
    config.cors.origins.0.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect()
}

fn api(config: &Config) -> ApiSettings {
    ApiSettings {
        max_message_bytes: config.limits.message_bytes,
        max_duration: config.limits.call_time,
        max_memory_bytes: config.limits.memory_bytes,
        caller_limits: limits::callers(config),
        logged_successes: config.log.sample,
        rest: FacadeSettings {
            body_bytes: config.limits.message_bytes,
            descriptor_nul_tail: config.rest.descriptor_nul_tail,
        },
    }
}

fn server(config: &Config) -> ServerSettings {
    ServerSettings {
        name: "public",
        max_connections: config.limits.connections,
        connection_age: Some(config.limits.connection_age).filter(|age| !age.is_zero()),
        max_handshakes: MAX_HANDSHAKES,
        max_concurrent_streams: MAX_CONCURRENT_STREAMS,
        head_timeout: HEAD_TIMEOUT,
        head_bytes: head_bytes(config),
        body_bytes: config.limits.message_bytes,
        unread_timeout: UNREAD_TIMEOUT,
        stall_timeout: config.limits.stall_time,
        // The relay needs the other half to publish what the last calls wrote.
        drain_timeout: config.shutdown.grace / 2,
    }
}

/// Room for the longest token, or the headers of the trusted proxy, beside the other headers.
fn head_bytes(config: &Config) -> u32 {
    let ticket = config.auth.negotiate.as_ref().map(|_| MAX_TICKET_BYTES);
    let proxy = config.auth.proxy.as_ref().map(|_| MAX_IDENTITY_BYTES);
    let longest = config.auth.jwt.iter().map(|entry| entry.max_bytes).chain(ticket).chain(proxy).max().unwrap_or(0);
    u32::try_from(longest).unwrap_or(u32::MAX).saturating_add(HEAD_BYTES)
}

#[cfg(test)]
mod tests;
