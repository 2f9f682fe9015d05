//! What is wrong with the configuration, in one plain sentence that names the key and where its value came from.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use thiserror::Error;

/// The configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}, line {line}: {problem}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong there; never the text of the line, which may hold a secret.
        problem: String,
    },
    /// An environment variable has the prefix of the configuration and cannot be part of it.
    #[error("the environment variable {name} {problem}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A key is not known, or its value cannot be used.
    #[error("{path} {problem}{}", from(source_name.as_deref()))]
    Invalid {
        /// The key, for example `database.url`.
        path: String,
        /// What is wrong with it, to follow the key in a sentence.
        problem: String,
        /// Where the value came from, unless it is a default.
        source_name: Option<String>,
    },
}

fn from(source_name: Option<&str>) -> String {
    source_name.map(|name| format!(" (from {name})")).unwrap_or_default()
}

/// A value that was read and cannot be used.
#[derive(Debug)]
pub(super) struct Invalid {
    /// The key.
    pub path: &'static str,
    /// What is wrong with it, to follow the key in a sentence.
    pub problem: String,
}

/// Refuses a value unless it meets its condition.
pub(super) fn require(condition: bool, path: &'static str, problem: impl Into<String>) -> Result<(), Invalid> {
    if condition { Ok(()) } else { Err(Invalid { path, problem: problem.into() }) }
}

/// Refuses a value outside its range.
pub(super) fn require_within<T>(path: &'static str, value: &T, range: &RangeInclusive<T>) -> Result<(), Invalid>
where
    T: PartialOrd + super::text::Setting,
{
    let (min, max) = (range.start().write(), range.end().write());
    require(range.contains(value), path, format!("must be {min} to {max}, not {}", value.write()))
}
