//! Starts the log: output, format and filter.

mod json;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::{fs, io, panic};

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use self::json::{JsonLines, JsonMembers};

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why the log could not be started.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter is not valid.
    #[error("the log filter is not valid")]
    Filter(#[from] ParseError),
    /// This process already has a log.
    #[error("the log is started already")]
    Taken(#[from] TryInitError),
}

/// Target of the line that ends each call. JSON lines with it have no message, and if the call went well, neither instance nor
/// version.
pub const CALL_TARGET: &str = "cmgate::call";

/// Name of the host, for the log; `localhost` if the system does not tell.
#[must_use]
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// Starts the log of this process on standard error; standard output is for the output of commands. JSON lines carry the name
/// `instance`. From now on, panics are lines of the log as well.
///
/// # Errors
/// The filter is not valid, or the log is started already.
pub fn start_log(format: LogFormat, filter: &str, instance: &str) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => {
            let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
            lines.with_ansi(is_terminal).finish().try_init()?;
        }
        LogFormat::Json => lines.fmt_fields(JsonMembers).event_format(JsonLines::new(instance)).finish().try_init()?,
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let reason = panic.payload_as_str().unwrap_or("a value that is no text");
        let trace = Backtrace::capture();
        let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
        tracing::error!(place, trace, "panic: {reason}");
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
