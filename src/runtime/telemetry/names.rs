//! The names of all metrics, in one place.

/// Calls answered, by `method` and `outcome` (counter).
pub const CALLS: &str = "cmgate_calls_total";
/// Time to answer a call, by `method` and `outcome` (histogram, seconds).
pub const CALL_SECONDS: &str = "cmgate_call_seconds";
/// Commands in a committed batch (histogram).
pub const BATCH_SIZE: &str = "cmgate_batch_size";
/// Time of a batch's transaction, from its begin to the answer to its commit (histogram, seconds).
pub const COMMIT_SECONDS: &str = "cmgate_commit_seconds";
/// Last position of each `shard` of the log (gauge).
pub const LOG_POSITION: &str = "cmgate_log_position";
/// Last published position of each `shard` (gauge); only in the process that publishes it.
pub const RELAY_POSITION: &str = "cmgate_relay_position";
/// Events of each `shard` that wait to be published (gauge); only in the process that publishes it.
pub const RELAY_LAG_EVENTS: &str = "cmgate_relay_lag_events";
/// Age of the oldest event that waits to be published, over the shards that the process publishes (gauge, seconds).
pub const RELAY_LAG_SECONDS: &str = "cmgate_relay_lag_seconds";
/// State of the relay worker of each partition `group` (gauge): 0 waiting for its lock, 1 starting, 2 streaming, 3 halted.
pub const RELAY_STATE: &str = "cmgate_relay_state";
/// Sessions that the relay worker of each partition `group` began again after a failure (counter).
pub const RELAY_RESTARTS: &str = "cmgate_relay_restarts_total";
/// 1 for the `mode` in which this process publishes (gauge): `transactions` or `fenced`.
pub const RELAY_PUBLISHING: &str = "cmgate_relay_publishing";
/// Age of the fence of each partition `group` that this process publishes under one (gauge, seconds).
pub const RELAY_FENCE_AGE_SECONDS: &str = "cmgate_relay_fence_age_seconds";
/// Sessions of each partition `group` that ended because their fence was due for renewal (counter).
pub const RELAY_FENCE_RENEWALS: &str = "cmgate_relay_fence_renewals_total";
/// Requests of the fenced publisher, by `broker`, `api` and `outcome` (counter).
pub const KAFKA_REQUESTS: &str = "cmgate_kafka_requests_total";
/// Bytes that the fenced publisher sent to each `broker` (counter).
pub const KAFKA_SENT_BYTES: &str = "cmgate_kafka_sent_bytes_total";
/// Bytes that the fenced publisher received from each `broker` (counter).
pub const KAFKA_RECEIVED_BYTES: &str = "cmgate_kafka_received_bytes_total";
/// Time until a `broker` acknowledged the batches of a request (histogram, seconds).
pub const KAFKA_APPEND_SECONDS: &str = "cmgate_kafka_append_seconds";
/// Calls that were not authenticated, by the `check` that failed (counter).
pub const CALLS_NOT_AUTHENTICATED: &str = "cmgate_calls_not_authenticated_total";
/// Calls refused because their caller exceeded a `limit`, by the `entry` that proved its identity (counter).
pub const CALLS_OVER_LIMIT: &str = "cmgate_calls_over_limit_total";
/// Tokens with a header `member` that names or carries a key, which is ignored (counter).
pub const IGNORED_TOKEN_MEMBERS: &str = "cmgate_ignored_token_members_total";
/// Tokens with a key id that the key set of their `issuer` did not have (counter).
pub const UNKNOWN_KEY_IDS: &str = "cmgate_unknown_key_ids_total";
/// Reads of the key set of each `issuer`, by `result` (counter).
pub const KEY_SET_READS: &str = "cmgate_key_set_reads_total";
/// Time since the key set of each `issuer` was read (gauge, seconds).
pub const KEY_SET_AGE_SECONDS: &str = "cmgate_key_set_age_seconds";
/// Connections refused because their address is not in `tls.terminated` (counter).
pub const CONNECTIONS_REFUSED: &str = "cmgate_connections_refused_total";
/// Entries of the list of denied tokens (gauge).
pub const DENIED_ENTRIES: &str = "cmgate_denied_entries";
/// Calls with identity headers on a connection that is not that of the trusted proxy; the headers were dropped (counter).
pub const IDENTITY_HEADERS_DROPPED: &str = "cmgate_identity_headers_dropped_total";
/// The version of each `template` in force (gauge).
pub const TEMPLATE_VERSION: &str = "cmgate_template_version";
/// Attempts to read a changed `file` again, by `result` (counter).
pub const FILE_RELOADS: &str = "cmgate_file_reloads_total";
/// Time since the content in force of a `file` was confirmed (gauge, seconds).
pub const FILE_AGE_SECONDS: &str = "cmgate_file_age_seconds";
/// TLS handshakes, by `port`, `result` and the client certificate's `ca` (counter).
pub const TLS_HANDSHAKES: &str = "cmgate_tls_handshakes_total";
/// Attempts to read the TLS files again after they changed, by `port` and `result` (counter).
pub const TLS_RELOADS: &str = "cmgate_tls_reloads_total";
/// Time until a certificate or CRL in force expires, by `port`, `kind` and `name` (gauge, seconds).
pub const TLS_SECONDS_LEFT: &str = "cmgate_tls_seconds_left";
/// When a certificate or CRL in force expires, by `port`, `kind` and `name` (gauge, seconds since 1970).
pub const TLS_EXPIRY: &str = "cmgate_tls_expiry_timestamp_seconds";
