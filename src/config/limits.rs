//! `[idempotency]`, `[limits]`, `[writer]` and `[shutdown]`: bounds on work and on time.

mod callers;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::auth::entries;
use super::error::{Invalid, require, require_within};
use super::setting;

pub use callers::{CallerLimitEntry, CallerLimits, GeneralCallerLimits};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// `[idempotency]`: idempotency keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idempotency {
    /// How long a key and its answer are kept. Default: `24h`.
    #[serde(with = "setting")]
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

/// `[limits]`: limits of calls and connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest message or body, in bytes. Default: 1048576.
    #[serde(deserialize_with = "setting::deserialize")]
    pub message_bytes: usize,
    /// Maximum duration of a call; a caller may set a shorter deadline. Default: `30s`.
    #[serde(with = "setting")]
    pub call_time: Duration,
    /// Maximum open connections per port. Default: 10000.
    #[serde(deserialize_with = "setting::deserialize")]
    pub connections: usize,
    /// Age at which a connection ends once its calls are answered, give or take a tenth, so that clients spread over new processes.
    /// Default: `1h`; `0s` for no limit.
    #[serde(with = "setting")]
    pub connection_age: Duration,
    /// How long a client may stop reading an answer of more than 16 KiB before its connection is closed. Default: `30s`.
    #[serde(with = "setting")]
    pub stall_time: Duration,
    /// Memory for the messages and answers of all calls in progress, in bytes; half of it is reserved for small calls. Further
    /// calls are refused as overload. Default: 50331648.
    #[serde(deserialize_with = "setting::deserialize")]
    pub memory_bytes: usize,
    /// `[limits.caller]`: limits on each caller.
    pub caller: GeneralCallerLimits,
    /// `[[limits.callers]]`: limits on single callers. Default: none.
    #[serde(deserialize_with = "entries::deserialize", skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<CallerLimitEntry>,
}

/// Maximum number of callers with limits of their own.
const MAX_CALLERS: usize = 1_024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            call_time: Duration::from_secs(30),
            connections: 10_000,
            connection_age: HOUR,
            stall_time: Duration::from_secs(30),
            memory_bytes: 48 << 20,
            caller: GeneralCallerLimits::default(),
            callers: Vec::new(),
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("limits.message_bytes", &self.message_bytes, &(1_024..=64 << 20))?;
        require_within("limits.call_time", &self.call_time, &(Duration::from_millis(100)..=HOUR))?;
        require_within("limits.connections", &self.connections, &(1..=1_000_000))?;
        if !self.connection_age.is_zero() {
            require_within("limits.connection_age", &self.connection_age, &(Duration::from_secs(1)..=7 * DAY))?;
        }
        require_within("limits.stall_time", &self.stall_time, &(Duration::from_millis(100)..=HOUR))?;
        // The half for large calls must hold several of the largest, and several long lists.
        let memory_bytes_min = (8 * self.message_bytes).max(8 << 20);
        require_within("limits.memory_bytes", &self.memory_bytes, &(memory_bytes_min..=64 << 30))?;
        self.caller.check()?;
        let problem = format!("must have at most {MAX_CALLERS} entries");
        require(self.callers.len() <= MAX_CALLERS, "limits.callers", problem)?;
        for (index, entry) in self.callers.iter().enumerate() {
            let key = |name: &str| format!("limits.callers[{index}].{name}");
            entry.limits().check(key)?;
            let is_new = self.callers.iter().take(index).all(|earlier| earlier.user != entry.user);
            require(is_new, key("user"), format!("must differ from those before it, {} does not", entry.user))?;
        }
        Ok(())
    }
}

/// `[writer]`: how commands are batched into transactions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writer {
    /// Maximum concurrent transactions, one per worker; under light load fewer are used. `SQLite` always has one. Default: 4.
    #[serde(deserialize_with = "setting::deserialize")]
    pub workers: u16,
    /// Maximum commands per transaction. Default: 512.
    #[serde(deserialize_with = "setting::deserialize")]
    pub max_batch: usize,
    /// Maximum commands that wait per worker; further ones are refused as overload. Default: 4096.
    #[serde(deserialize_with = "setting::deserialize")]
    pub max_waiting: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self { workers: 4, max_batch: 512, max_waiting: 4_096 }
    }
}

impl Writer {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("writer.workers", &self.workers, &(1..=64))?;
        require_within("writer.max_batch", &self.max_batch, &(1..=512))?;
        require_within("writer.max_waiting", &self.max_waiting, &(1..=1_000_000))
    }
}

/// `[shutdown]`: how the service stops.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long calls are still served after SIGTERM has turned readiness off, so that load balancers notice in time. Default: `0ms`,
    /// in production `5s`.
    #[serde(with = "setting")]
    pub delay: Duration,
    /// How long calls in progress and the relay may take to finish after the delay. Default: `20s`.
    #[serde(with = "setting")]
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { delay: Duration::ZERO, grace: Duration::from_secs(20) }
    }
}

impl Shutdown {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("shutdown.delay", &self.delay, &(Duration::ZERO..=HOUR))?;
        require_within("shutdown.grace", &self.grace, &(Duration::from_secs(1)..=HOUR))
    }
}
