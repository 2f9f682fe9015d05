//! The log: where its lines go and what they look like.

use std::io;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text, for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// The log could not be started.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter is none.
    #[error("the log filter cannot be used")]
    Filter(#[from] ParseError),
    /// Something else in this process has taken the log.
    #[error("the log is started already")]
    Taken(#[from] TryInitError),
}

/// Starts the log of this process on standard error, which leaves standard output to what a command prints.
///
/// # Errors
/// The filter cannot be read, or the log is started already.
pub fn start_log(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => {
            let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
            lines.with_ansi(is_terminal).finish().try_init()?;
        }
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
