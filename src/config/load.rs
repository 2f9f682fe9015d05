//! Loads the configuration from its sources, and reports what is wrong and its source.
//!
//! Files are not parsed by figment, because its errors quote the faulty line, secrets included.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use figment::error::Kind;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Deserialize;

use super::error::Invalid;
use super::{Config, ConfigError, Mode, setting};

/// Prefix of the environment variables of the configuration; two underscores separate keys.
const PREFIX: &str = "CMGATE__";
/// The table whose keys have dots in their names.
const PROPERTIES: [&str; 2] = ["kafka", "properties"];

impl Config {
    /// Loads the configuration: defaults, then the file, then the environment (`CMGATE__DATABASE__URL` is `database.url`).
    ///
    /// # Errors
    /// The first problem, in one sentence that never contains a secret.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut sources = Figment::new();
        if let Some(path) = file {
            sources = sources.merge(Layer::file(path)?);
        }
        for variable in environment {
            if let Some(layer) = Layer::variable(variable)? {
                sources = sources.merge(layer);
            }
        }
        let mode = sources.extract::<JustMode>().map_err(refused)?.mode;
        let sources = sources.join(Layer::defaults(mode));
        let config: Self = sources.extract().map_err(refused)?;
        config.check().map_err(|invalid| unfit(&invalid, &sources))?;
        Ok(config)
    }
}

/// The mode, which other defaults depend on.
#[derive(Deserialize)]
struct JustMode {
    #[serde(with = "setting", default = "development")]
    mode: Mode,
}

const fn development() -> Mode {
    Mode::Development
}

/// One source of settings.
struct Layer {
    name: Option<String>,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let metadata = Metadata::named("cmgate");
        match &self.name {
            Some(name) => metadata.source(name.as_str()),
            None => metadata,
        }
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Layer {
    /// The defaults that depend on the mode; all others are defined with their settings.
    fn defaults(mode: Mode) -> Self {
        let mut values = Dict::new();
        match mode {
            Mode::Development => {}
            Mode::Production => {
                insert(&mut values, &["kafka", "replication_factor"], Value::from(3));
                insert(&mut values, &["log", "format"], Value::from("json"));
            }
        }
        Self { name: None, values }
    }

    fn file(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let syntax = |line, problem| ConfigError::Syntax { path: path.to_owned(), line, problem };
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            syntax(before.matches('\n').count() + 1, error.message().replace('\n', ", "))
        })?;
        let mut values = Value::serialize(table)
            .ok()
            .and_then(Value::into_dict)
            .ok_or_else(|| syntax(1, "contains a value that is not a setting".to_owned()))?;
        join_property_names(&mut values);
        Ok(Self { name: Some(path.display().to_string()), values })
    }

    /// An environment variable; `None` if it is not part of the configuration.
    fn variable((name, value): (OsString, OsString)) -> Result<Option<Self>, ConfigError> {
        let name = name.to_string_lossy().into_owned();
        let Some(keys) = name.strip_prefix(PREFIX) else { return Ok(None) };
        let refuse = |problem| ConfigError::Variable { name: name.clone(), problem };
        let keys = keys.to_ascii_lowercase();
        let mut keys: Vec<&str> = keys.split("__").collect();
        if keys.iter().any(|key| key.is_empty()) {
            return Err(refuse("does not name a setting; the form is CMGATE__SECTION__KEY"));
        }
        let value = value.into_string().map_err(|_| refuse("is not UTF-8"))?;
        let mut property = String::new();
        if keys.len() > 2 && keys[..2] == PROPERTIES {
            // Property names contain dots, which environment variables cannot.
            property.push_str(&keys[2..].join(".").replace('_', "."));
            keys.truncate(2);
            keys.push(&property);
        }
        let mut values = Dict::new();
        insert(&mut values, &keys, Value::from(value));
        Ok(Some(Self { name: Some(format!("the environment variable {name}")), values }))
    }
}

/// Inserts a value under a path of keys.
fn insert(values: &mut Dict, keys: &[&str], value: Value) {
    match keys {
        [] => {}
        [key] => {
            values.insert((*key).to_owned(), value);
        }
        [key, rest @ ..] => {
            let mut inner = Dict::new();
            insert(&mut inner, rest, value);
            values.insert((*key).to_owned(), Value::from(inner));
        }
    }
}

/// In TOML, `security.protocol = ...` is a nested table; as a property it is one name.
fn join_property_names(values: &mut Dict) {
    let [kafka, properties] = PROPERTIES;
    let Some(Value::Dict(_, kafka)) = values.get_mut(kafka) else { return };
    let Some(Value::Dict(_, properties)) = kafka.get_mut(properties) else { return };
    let mut joined = Dict::new();
    for (name, value) in std::mem::take(properties) {
        join_names(name, value, &mut joined);
    }
    *properties = joined;
}

fn join_names(name: String, value: Value, joined: &mut Dict) {
    match value {
        Value::Dict(_, inner) => {
            for (key, value) in inner {
                join_names(format!("{name}.{key}"), value, joined);
            }
        }
        value => {
            joined.insert(name, value);
        }
    }
}

/// A value that could not be read. Its text is left out, because it may be a secret.
fn refused(error: figment::Error) -> ConfigError {
    let problem = match error.kind {
        Kind::Message(problem) => problem,
        Kind::UnknownField(_, known) => format!("is not a known key; known are {}", known.join(", ")),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) | Kind::InvalidLength(_, expected) => {
            format!("must be {}", expected.replace("struct ", "the section "))
        }
        Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
        Kind::MissingField(name) => format!("lacks {name}"),
        Kind::DuplicateField(name) => format!("contains {name} twice"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "is out of range".to_owned(),
        Kind::Unsupported(_) | Kind::UnsupportedKey(..) => "has a type that no setting has".to_owned(),
    };
    let source_name = error.metadata.as_ref().and_then(source_name);
    ConfigError::Invalid { path: key(&error.path), problem, source_name }
}

/// A key as errors name it: `auth.jwt[0].name`.
fn key(path: &[String]) -> String {
    let mut key = String::new();
    for part in path {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            // Writing to a String cannot fail.
            let _ = write!(key, "[{part}]");
        } else {
            key.push_str(if key.is_empty() { "" } else { "." });
            key.push_str(part);
        }
    }
    key
}

/// A value that was read but is not valid.
fn unfit(invalid: &Invalid, sources: &Figment) -> ConfigError {
    // The entries of a list have the source of the list.
    let list = invalid.path.split('[').next().unwrap_or_default();
    let source_name = sources.find_metadata(list).and_then(source_name);
    ConfigError::Invalid { path: invalid.path.clone().into_owned(), problem: invalid.problem.clone(), source_name }
}

fn source_name(metadata: &Metadata) -> Option<String> {
    metadata.source.as_ref().map(ToString::to_string)
}
