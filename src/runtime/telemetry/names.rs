//! The metrics: one table with the name, the labels and the meaning of each.
//!
//! `docs/metrics.md` shows the table, and a test keeps it up to date.

use metrics::Unit;

/// Bounds in seconds: from a commit on a fast disk to longer than any caller waits.
const SECONDS: [f64; 16] =
    [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Bounds in commands: up to the largest batch.
const COMMANDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The unit of its values.
    pub unit: Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What its values are about.
    pub scope: Scope,
    /// What it means.
    meaning: &'static [&'static str],
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only rises, from 0 at the start of the process.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts values by size, up to these bounds.
    Histogram(&'static [f64]),
}

/// What the values of a metric are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This process.
    Process,
    /// What this process publishes. Other processes do not export it.
    Owner,
    /// The database, so the same in all its processes.
    Database,
}

impl Metric {
    /// What the metric means.
    #[must_use]
    pub fn meaning(&self) -> String {
        self.meaning.concat().trim_start().to_owned()
    }

    /// Its description in the format of Prometheus: what it means, and what its values are about.
    #[must_use]
    pub fn help(&self) -> String {
        format!("{} {}", self.meaning(), self.scope.sentence())
    }
}

impl Kind {
    /// Its name in the format of Prometheus.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Scope {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Process => "Per process.",
            Self::Owner => "Only in the process that publishes the shard.",
            Self::Database => "The same in all processes of a database.",
        }
    }
}

/// Declares a constant for each name, documented with its meaning, and the table of all metrics.
macro_rules! metrics {
    ($($(#[doc = $meaning:literal])+ $constant:ident: $name:literal [$($label:ident),*] $kind:expr, $unit:ident, $scope:ident;)*) => {
        $($(#[doc = $meaning])+ pub const $constant: &str = $name;)*

        /// Every metric of the service. Those of the process (`process_*`) come from a library.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: $kind,
            unit: Unit::$unit,
            labels: &[$(stringify!($label)),*],
            scope: Scope::$scope,
            meaning: &[$($meaning),+],
        }),*];
    };
}

metrics! {
    /// Always 1; its labels are the version of cmgate, the revision of its source (`unknown` unless the build sets it) and the kind of
    /// the database.
    BUILD_INFO: "cmgate_build_info" [version, revision, store] Kind::Gauge, Count, Process;
    /// Calls answered, by method and by gRPC code or HTTP status; `other` if the method is unknown.
    CALLS: "cmgate_calls_total" [method, outcome] Kind::Counter, Count, Process;
    /// Time to answer a call.
    CALL_SECONDS: "cmgate_call_seconds" [method, outcome] Kind::Histogram(&SECONDS), Seconds, Process;
    /// Failed calls, by the reason that their answer carries.
    CALL_ERRORS: "cmgate_call_errors_total" [reason] Kind::Counter, Count, Process;
    /// Open connections of callers.
    CONNECTIONS: "cmgate_connections" [port] Kind::Gauge, Count, Process;
    /// Maximum open connections of callers; more wait in the backlog of the operating system.
    CONNECTIONS_LIMIT: "cmgate_connections_limit" [port] Kind::Gauge, Count, Process;
    /// Connections refused because their address is not in `tls.terminated`.
    CONNECTIONS_REFUSED: "cmgate_connections_refused_total" [] Kind::Counter, Count, Process;
    /// Commands in a committed batch.
    BATCH_SIZE: "cmgate_batch_size" [] Kind::Histogram(&COMMANDS), Count, Process;
    /// Time of a batch's transaction, from its begin to the answer to its commit.
    COMMIT_SECONDS: "cmgate_commit_seconds" [] Kind::Histogram(&SECONDS), Seconds, Process;
    /// Batches that were not committed, by the reason that their callers get; of `OUTCOME_UNKNOWN`, the batch may have been committed.
    COMMITS_FAILED: "cmgate_commits_failed_total" [reason] Kind::Counter, Count, Process;
    /// Commands that wait for a commit or are being committed.
    WRITES_PENDING: "cmgate_writes_pending" [] Kind::Gauge, Count, Process;
    /// Bytes that these commands write to the database.
    WRITES_PENDING_BYTES: "cmgate_writes_pending_bytes" [] Kind::Gauge, Bytes, Process;
    /// 1 if the database answers and accepts writes, else 0; checked every 5 seconds.
    DATABASE_UP: "cmgate_database_up" [] Kind::Gauge, Count, Process;
    /// How far the clock of the database server is certainly ahead of the clock of this process; negative if it is behind. Absent
    /// for SQLite and while the database does not answer.
    DATABASE_CLOCK_AHEAD: "cmgate_database_clock_ahead_seconds" [] Kind::Gauge, Seconds, Process;
    /// Database connections in use, by what they are for.
    DATABASE_CONNECTIONS_IN_USE: "cmgate_database_connections_in_use" [pool] Kind::Gauge, Count, Process;
    /// Idle database connections, by what they are for.
    DATABASE_CONNECTIONS_IDLE: "cmgate_database_connections_idle" [pool] Kind::Gauge, Count, Process;
    /// Maximum database connections, by what they are for. Absent for pools whose users bound their own number.
    DATABASE_CONNECTIONS_LIMIT: "cmgate_database_connections_limit" [pool] Kind::Gauge, Count, Process;
    /// Waits for a database connection that timed out, by what the connection is for.
    DATABASE_ACQUIRE_TIMEOUTS: "cmgate_database_acquire_timeouts_total" [pool] Kind::Counter, Count, Process;
    /// Size of the SQLite database and of its write-ahead log. Absent for Postgres.
    SQLITE_BYTES: "cmgate_sqlite_bytes" [file] Kind::Gauge, Bytes, Database;
    /// Idempotency keys kept, read every 10 minutes. On Postgres this is the estimate of the last vacuum or analyze, absent before the
    /// first one; on SQLite, a count.
    IDEMPOTENCY_KEYS: "cmgate_idempotency_keys" [] Kind::Gauge, Count, Database;
    /// Last position of each shard of the event log. Absent while unknown.
    LOG_POSITION: "cmgate_log_position" [shard] Kind::Gauge, Count, Database;
    /// Last published position of each shard, from the checkpoint until the relay reads the topic.
    RELAY_POSITION: "cmgate_relay_position" [shard] Kind::Gauge, Count, Owner;
    /// Events of each shard that wait to be published. Absent while unknown.
    RELAY_LAG_EVENTS: "cmgate_relay_lag_events" [shard] Kind::Gauge, Count, Owner;
    /// Age of the oldest event that waits to be published, over the shards that the process publishes. Absent while unknown. Over all
    /// processes: `max()`.
    RELAY_LAG_SECONDS: "cmgate_relay_lag_seconds" [] Kind::Gauge, Seconds, Owner;
    /// State of the relay worker of each partition group: 0 waiting for its lock, 1 starting, 2 streaming, 3 halted.
    RELAY_STATE: "cmgate_relay_state" [group] Kind::Gauge, Count, Process;
    /// Sessions that the relay worker of each partition group began again after a failure.
    RELAY_RESTARTS: "cmgate_relay_restarts_total" [group] Kind::Counter, Count, Process;
    /// Halts of relay workers, by reason; a halt that persists counts once.
    RELAY_HALTS: "cmgate_relay_halts_total" [reason] Kind::Counter, Count, Process;
    /// Partition groups whose lock no process holds; read every 5 seconds. A halted worker releases its lock between its checks. Absent
    /// while the database does not answer.
    RELAY_GROUPS_WITHOUT_OWNER: "cmgate_relay_groups_without_owner" [] Kind::Gauge, Count, Database;
    /// Errors that the Kafka clients of the relay report, and errors of Kafka that end a session of the relay, by their name in
    /// librdkafka; `Other` without one.
    KAFKA_ERRORS: "cmgate_kafka_errors_total" [error] Kind::Counter, Count, Process;
    /// 1 for the mode in which this process publishes: `transactions` or `fenced`.
    RELAY_PUBLISHING: "cmgate_relay_publishing" [mode] Kind::Gauge, Count, Process;
    /// Age of the fence of each partition group that is published with `kafka.publish = "fenced"`; renewed after an hour, and not
    /// relied on after two. Absent while there is none.
    RELAY_FENCE_AGE_SECONDS: "cmgate_relay_fence_age_seconds" [group] Kind::Gauge, Seconds, Owner;
    /// Sessions of each partition group that ended because their fence was due for renewal.
    RELAY_FENCE_RENEWALS: "cmgate_relay_fence_renewals_total" [group] Kind::Counter, Count, Process;
    /// Requests of the fenced publisher, by broker, API and outcome: `answered`, `malformed`, `lost` (the connection) or `timed_out`.
    KAFKA_REQUESTS: "cmgate_kafka_requests_total" [broker, api, outcome] Kind::Counter, Count, Process;
    /// Bytes that the fenced publisher sent to each broker.
    KAFKA_SENT_BYTES: "cmgate_kafka_sent_bytes_total" [broker] Kind::Counter, Bytes, Process;
    /// Bytes that the fenced publisher received from each broker.
    KAFKA_RECEIVED_BYTES: "cmgate_kafka_received_bytes_total" [broker] Kind::Counter, Bytes, Process;
    /// Time until a broker acknowledged the batches of a request of the fenced publisher.
    KAFKA_APPEND_SECONDS: "cmgate_kafka_append_seconds" [broker] Kind::Histogram(&SECONDS), Seconds, Process;
    /// Calls refused because their caller was not authenticated, by the check that failed; `no_token`: the call had no bearer token.
    CALLS_NOT_AUTHENTICATED: "cmgate_calls_not_authenticated_total" [check] Kind::Counter, Count, Process;
    /// Calls refused because their caller exceeded its limit, by the entry that proved its identity (`none`: no entry) and by limit:
    /// `rate`, or `calls` in flight.
    CALLS_OVER_LIMIT: "cmgate_calls_over_limit_total" [entry, limit] Kind::Counter, Count, Process;
    /// Tokens with a header member that names or carries a key (`jku`, `jwk`, `x5u`, `x5c`), which is ignored.
    IGNORED_TOKEN_MEMBERS: "cmgate_ignored_token_members_total" [member] Kind::Counter, Count, Process;
    /// Tokens with a key id that the key set of their issuer did not have when they arrived.
    UNKNOWN_KEY_IDS: "cmgate_unknown_key_ids_total" [issuer] Kind::Counter, Count, Process;
    /// Reads of the key set of each issuer, by result: `ok`, or why the last set stays in force.
    KEY_SET_READS: "cmgate_key_set_reads_total" [issuer, result] Kind::Counter, Count, Process;
    /// Time since the key set of each issuer was last read; after a day it is no longer used. Absent until the first read.
    KEY_SET_AGE_SECONDS: "cmgate_key_set_age_seconds" [issuer] Kind::Gauge, Seconds, Process;
    /// Entries of the list of denied tokens in force. Absent without a list.
    DENIED_ENTRIES: "cmgate_denied_entries" [] Kind::Gauge, Count, Process;
    /// Calls with identity headers on a connection that is not that of the trusted proxy; the headers were dropped.
    IDENTITY_HEADERS_DROPPED: "cmgate_identity_headers_dropped_total" [] Kind::Counter, Count, Process;
    /// Attempts to apply a changed file, by the key that names it and by result; after a failure the last good content stays in force.
    FILE_RELOADS: "cmgate_file_reloads_total" [file, result] Kind::Counter, Count, Process;
    /// Time since the content in force of a file was confirmed, by the key that names it; it grows while the file cannot be used.
    FILE_AGE_SECONDS: "cmgate_file_age_seconds" [file] Kind::Gauge, Seconds, Process;
    /// Version of each profile template in force.
    TEMPLATE_VERSION: "cmgate_template_version" [template] Kind::Gauge, Count, Process;
    /// TLS handshakes, by result and by the CA that issued the client certificate.
    TLS_HANDSHAKES: "cmgate_tls_handshakes_total" [port, result, ca] Kind::Counter, Count, Process;
    /// Attempts to apply changed TLS files; after a failure the old files stay in force.
    TLS_RELOADS: "cmgate_tls_reloads_total" [port, result] Kind::Counter, Count, Process;
    /// Time until each certificate or CRL in force expires, negative afterwards.
    TLS_SECONDS_LEFT: "cmgate_tls_seconds_left" [port, kind, name] Kind::Gauge, Seconds, Process;
    /// When each certificate or CRL in force expires, in seconds since 1970.
    TLS_EXPIRY: "cmgate_tls_expiry_timestamp_seconds" [port, kind, name] Kind::Gauge, Seconds, Process;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_say_what_they_count() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            let Metric { name, kind, unit, .. } = metric;
            assert!(name.starts_with("cmgate_"), "{name}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            let is_bytes = name.trim_end_matches("_total").ends_with("_bytes");
            assert_eq!(*unit == Unit::Bytes, is_bytes, "{name}");
            assert_eq!(*unit == Unit::Seconds, name.contains("_seconds"), "{name}");
            assert!(metric.help().ends_with('.') && !metric.help().contains("  "), "{name}: {}", metric.help());
        }
    }
}
