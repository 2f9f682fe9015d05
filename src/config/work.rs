//! `[idempotency]`, `[limits]`, `[writer]` and `[shutdown]`: how much the service takes on, and for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{Invalid, require_within};
use super::text;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// `[idempotency]`: repeated calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idempotency {
    /// How long a key is kept with its answer. Default: `24h`.
    #[serde(with = "text")]
    pub keep: Duration,
}

impl Default for Idempotency {
    fn default() -> Self {
        Self { keep: DAY }
    }
}

impl Idempotency {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("idempotency.keep", &self.keep, &(MINUTE..=365 * DAY))
    }
}

/// `[limits]`: what one caller may ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest message or body, in bytes. Default: 1048576.
    #[serde(deserialize_with = "text::deserialize")]
    pub message_bytes: usize,
    /// Longest time that one call may take; a caller's own deadline may be shorter. Default: `30s`.
    #[serde(with = "text")]
    pub call_time: Duration,
    /// Most connections that are open at once. Default: 10000.
    #[serde(deserialize_with = "text::deserialize")]
    pub connections: usize,
    /// How long a client may take nothing of an answer of more than 16 KiB before its connection is closed. Default: `30s`.
    #[serde(with = "text")]
    pub stall_time: Duration,
    /// Bytes that the messages and answers of all calls under way may take; half of them for small calls. More are refused as
    /// too much to do. Default: 50331648.
    #[serde(deserialize_with = "text::deserialize")]
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            call_time: Duration::from_secs(30),
            connections: 10_000,
            stall_time: Duration::from_secs(30),
            memory_bytes: 48 << 20,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("limits.message_bytes", &self.message_bytes, &(1_024..=64 << 20))?;
        require_within("limits.call_time", &self.call_time, &(Duration::from_millis(100)..=HOUR))?;
        require_within("limits.connections", &self.connections, &(1..=1_000_000))?;
        require_within("limits.stall_time", &self.stall_time, &(Duration::from_millis(100)..=HOUR))?;
        // The half for large calls has to take a few of the largest, and a few long lists.
        let memory_bytes_min = (8 * self.message_bytes).max(8 << 20);
        require_within("limits.memory_bytes", &self.memory_bytes, &(memory_bytes_min..=64 << 30))
    }
}

/// `[writer]`: how commands are gathered into transactions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writer {
    /// Most transactions under way at once; few callers share one. `SQLite` has one, whatever is said here. Default: 4.
    #[serde(deserialize_with = "text::deserialize")]
    pub lanes: u16,
    /// Most commands in one transaction. Default: 512.
    #[serde(deserialize_with = "text::deserialize")]
    pub max_batch: usize,
    /// Most commands that may wait in a lane; more are refused as too much to do. Default: 4096.
    #[serde(deserialize_with = "text::deserialize")]
    pub max_waiting: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self { lanes: 4, max_batch: 512, max_waiting: 4_096 }
    }
}

impl Writer {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("writer.lanes", &self.lanes, &(1..=64))?;
        require_within("writer.max_batch", &self.max_batch, &(1..=512))?;
        require_within("writer.max_waiting", &self.max_waiting, &(1..=1_000_000))
    }
}

/// `[shutdown]`: how the service ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long work under way may take to end once the service was told to stop. Default: `20s`.
    #[serde(with = "text")]
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(20) }
    }
}

impl Shutdown {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("shutdown.grace", &self.grace, &(Duration::from_secs(1)..=HOUR))
    }
}
