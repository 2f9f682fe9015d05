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

use super::error::{Invalid, source_name};
use super::secret_file::{self, FromFile};
use super::{Config, ConfigError, ConfigErrors, GeneralCallerLimits, Mode, environment, setting};
use crate::runtime::file::toml_problem;

/// Prefix of the environment variables of the configuration; two underscores separate keys.
const PREFIX: &str = "CMGATE__";
/// The tables whose keys have dots in their names, in the section `kafka`.
const PROPERTIES: [&str; 2] = ["properties", "properties_file"];

/// Limit on the problems that are reported together.
const MAX_PROBLEMS: usize = 100;

impl Config {
    /// Loads the configuration: defaults, then the file of defaults that `CMGATE_DEFAULTS` names, then the file, then the environment
    /// (`CMGATE__DATABASE__URL` is `database.url`).
    ///
    /// # Errors
    /// The first problem, in one sentence that never contains a secret.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        Self::examine(file, environment).map_err(|problems| problems.first)
    }

    /// Loads the configuration like [`load`](Self::load), but reports more than one problem.
    ///
    /// # Errors
    /// The problems: those of the file as a whole; else those of environment variables, files of secrets and single values; else
    /// the first one of each section.
    pub fn examine(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigErrors> {
        let environment: Vec<_> = environment.into_iter().collect();
        let defaults =
            environment::defaults_file(&environment).map(Layer::file).transpose().map_err(ConfigErrors::one)?;
        let mut layers = Vec::new();
        if let Some(path) = file {
            layers.push(Layer::file(path).map_err(ConfigErrors::one)?);
        }
        let mut problems = Vec::new();
        for variable in environment {
            match Layer::variable(variable) {
                Ok(layer) => layers.extend(layer),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(mut defaults) = defaults {
            if merged(&layers).find_value("database.url_file").is_ok() {
                // The file replaces the default, and only two values of the same rank contradict each other.
                remove_from(&mut defaults.values, &["database".to_owned(), "url".to_owned()]);
            }
            layers.insert(0, defaults);
        }
        for secret in secret_file::read_all(&merged(&layers)) {
            match secret {
                Ok(secret) => layers.push(Layer::secret(secret)),
                Err(problem) => problems.push(problem),
            }
        }
        loop {
            let error = match extract(&layers) {
                Ok((config, sources)) => {
                    // Without a refused value, a check would report what is not there.
                    if problems.is_empty() {
                        problems.extend(config.problems().iter().map(|invalid| unfit(invalid, &sources)));
                    }
                    return ConfigErrors::all(problems).map_or(Ok(config), Err);
                }
                Err(error) => *error,
            };
            let is_removed = remove(&mut layers, &error.path);
            let problem = refused(error);
            if !is_removed || problems.len() >= MAX_PROBLEMS {
                return Err(ConfigErrors::with_last(problems, problem));
            }
            problems.push(problem);
        }
    }
}

/// The layers as one source, later ones over earlier ones.
fn merged(layers: &[Layer]) -> Figment {
    layers.iter().fold(Figment::new(), |sources, layer| sources.merge(layer.clone()))
}

/// Parses the values of all layers.
fn extract(layers: &[Layer]) -> Result<(Config, Figment), Box<figment::Error>> {
    let sources = merged(layers);
    let mode = sources.extract::<JustMode>()?.mode;
    let sources = sources.join(Layer::defaults(mode));
    Ok((sources.extract()?, sources))
}

/// Removes a refused value from all layers, so that the next one can be found. Of a list of tables, the whole list is removed,
/// because a table without one of its keys would be refused again. Returns whether anything was removed.
fn remove(layers: &mut [Layer], path: &[String]) -> bool {
    let is_number = |key: &String| key.bytes().all(|byte| byte.is_ascii_digit());
    let list = path.iter().position(is_number).unwrap_or(path.len());
    let path = path.get(..list).unwrap_or_default();
    let mut is_removed = false;
    for layer in layers {
        is_removed |= remove_from(&mut layer.values, path);
    }
    is_removed
}

fn remove_from(values: &mut Dict, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else { return false };
    if !rest.is_empty()
        && let Some(Value::Dict(_, inner)) = values.get_mut(key)
    {
        return remove_from(inner, rest);
    }
    values.remove(key).is_some()
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
#[derive(Clone)]
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
                insert(&mut values, &["shutdown", "delay"], Value::from("5s"));
                let GeneralCallerLimits { rate, burst: _, calls } = GeneralCallerLimits::PRODUCTION;
                insert(&mut values, &["limits", "caller", "rate"], Value::from(rate));
                insert(&mut values, &["limits", "caller", "calls"], Value::from(calls));
            }
        }
        Self { name: None, values }
    }

    fn file(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let syntax = |line, problem| ConfigError::Syntax { path: path.to_owned(), line, problem };
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            let (line, problem) = toml_problem(&text, &error);
            syntax(line, problem)
        })?;
        let mut values = Value::serialize(table)
            .ok()
            .and_then(Value::into_dict)
            .ok_or_else(|| syntax(1, "contains a value that is not a setting".to_owned()))?;
        join_property_names(&mut values);
        Ok(Self { name: Some(path.display().to_string()), values })
    }

    /// A secret from a file of its own.
    fn secret(FromFile { keys, value, path }: FromFile) -> Self {
        let mut values = Dict::new();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        insert(&mut values, &keys, Value::from(value));
        Self { name: Some(format!("the file {}", path.display())), values }
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
        if let ["kafka", table, name @ ..] = keys.as_slice()
            && PROPERTIES.contains(table)
            && !name.is_empty()
        {
            // Property names contain dots, which environment variables cannot.
            property.push_str(&name.join(".").replace('_', "."));
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
            let mut inner = values.remove(*key).and_then(Value::into_dict).unwrap_or_default();
            insert(&mut inner, rest, value);
            values.insert((*key).to_owned(), Value::from(inner));
        }
    }
}

/// In TOML, `security.protocol = ...` is a nested table; as a property it is one name.
fn join_property_names(values: &mut Dict) {
    let Some(Value::Dict(_, kafka)) = values.get_mut("kafka") else { return };
    for table in PROPERTIES {
        let Some(Value::Dict(_, properties)) = kafka.get_mut(table) else { continue };
        let mut joined = Dict::new();
        for (name, value) in std::mem::take(properties) {
            join_names(name, value, &mut joined);
        }
        *properties = joined;
    }
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
