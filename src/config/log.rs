//! `[log]`: the format of the log and what it contains.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::error::{Invalid, require};
use super::setting::{self, Setting};

pub use crate::runtime::telemetry::LogFormat;

/// `[log]`: the log, which goes to standard error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`. Default: `text` in development, `json` in production.
    #[serde(with = "setting")]
    pub format: LogFormat,
    /// What is logged: a level, or directives such as `info,cmgate::relay=debug`. Default: `info`.
    #[serde(with = "setting")]
    pub filter: String,
    /// One of how many successful calls is logged; 0 logs none. Failed calls are always logged. Default: 1.
    #[serde(deserialize_with = "setting::deserialize")]
    pub sample: usize,
    /// Name of this process in JSON lines; empty: the name of the host. Default: empty.
    #[serde(with = "setting")]
    pub instance: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned(), sample: 1, instance: String::new() }
    }
}

impl Log {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let problem =
            format!("must be a level (error, warn, info, debug, trace) or filter directives, not {:?}", self.filter);
        require(EnvFilter::try_new(&self.filter).is_ok(), "log.filter", problem)
    }
}

impl Setting for LogFormat {
    const EXPECTED: &'static str = "\"text\" or \"json\"";

    fn read(text: &str) -> Option<Self> {
        [Self::Text, Self::Json].into_iter().find(|format| format.write() == text)
    }

    fn write(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}
