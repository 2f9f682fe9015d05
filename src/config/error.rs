//! Errors of the configuration: one sentence that names the key and the source of its value.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use figment::Metadata;
use thiserror::Error;

/// Why the configuration was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}", path = path.display())]
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
    /// An environment variable has the prefix of the configuration but is not a setting.
    #[error("the environment variable {name} {problem}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A key is unknown, or its value is not valid.
    #[error("{path} {problem}{}", from(source_name.as_deref()))]
    Invalid {
        /// The key, for example `database.url`.
        path: String,
        /// What is wrong with it, to follow the key in a sentence.
        problem: String,
        /// The source of the value, unless it is a default.
        source_name: Option<String>,
    },
}

/// Why the configuration was refused: every problem that could be found, at least one.
#[derive(Debug)]
pub struct ConfigErrors {
    /// The first problem.
    pub first: ConfigError,
    /// The other problems, in the order of the sources and of the keys.
    pub rest: Vec<ConfigError>,
}

impl ConfigErrors {
    /// A single problem.
    pub(super) const fn one(first: ConfigError) -> Self {
        Self { first, rest: Vec::new() }
    }

    /// All problems; `None` if there are none.
    pub(super) fn all(problems: Vec<ConfigError>) -> Option<Self> {
        let mut problems = problems.into_iter();
        problems.next().map(|first| Self { first, rest: problems.collect() })
    }

    /// A last problem behind others.
    pub(super) fn with_last(earlier: Vec<ConfigError>, last: ConfigError) -> Self {
        let mut earlier = earlier.into_iter();
        match earlier.next() {
            Some(first) => Self { first, rest: earlier.chain([last]).collect() },
            None => Self::one(last),
        }
    }

    /// Every problem, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// The name of a source; `None` for the defaults.
pub(super) fn source_name(metadata: &Metadata) -> Option<String> {
    metadata.source.as_ref().map(ToString::to_string)
}

fn from(source_name: Option<&str>) -> String {
    source_name.map(|name| format!(" (from {name})")).unwrap_or_default()
}

/// A value that is not valid.
#[derive(Debug)]
pub(super) struct Invalid {
    /// The key, for example `kafka.topic` or `auth.jwt[0].name`.
    pub path: Cow<'static, str>,
    /// What is wrong with it, to follow the key in a sentence.
    pub problem: String,
}

/// Refuses a value that fails its condition.
pub(super) fn require(
    condition: bool,
    path: impl Into<Cow<'static, str>>,
    problem: impl Into<String>,
) -> Result<(), Invalid> {
    if condition { Ok(()) } else { Err(Invalid { path: path.into(), problem: problem.into() }) }
}

/// Refuses a value outside its range.
pub(super) fn require_within<T>(
    path: impl Into<Cow<'static, str>>,
    value: &T,
    range: &RangeInclusive<T>,
) -> Result<(), Invalid>
where
    T: PartialOrd + super::setting::Setting,
{
    let (min, max) = (range.start().write(), range.end().write());
    require(range.contains(value), path, format!("must be {min} to {max}, not {}", value.write()))
}
