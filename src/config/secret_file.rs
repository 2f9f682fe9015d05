//! Secrets in files, as orchestrators mount them: beside each secret setting, `KEY_file` names the file with its value.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::value::Value;

use super::ConfigError;
use super::error::source_name;
use crate::runtime::file;
use crate::runtime::telemetry::error_chain;

/// The secret settings, each a value or a table of values. `KEY_file` has the same form, with paths as values.
const SECRETS: [[&str; 2]; 2] = [["database", "url"], ["kafka", "properties"]];

/// Limit on a file, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// A secret that was read from a file.
pub(super) struct FromFile {
    /// The keys that lead to the setting.
    pub(super) keys: Vec<String>,
    /// The content of the file.
    pub(super) value: String,
    /// The file.
    pub(super) path: PathBuf,
}

/// Reads the files that the sources name. A setting must not have a value in the sources as well.
pub(super) fn read_all(sources: &Figment) -> Vec<Result<FromFile, ConfigError>> {
    SECRETS.iter().flat_map(|[section, key]| read(sources, section, key)).collect()
}

/// Removes the values that were read from files, so that only the paths are shown.
pub(super) fn omit_values(table: &mut toml::Table) {
    for [section, key] in SECRETS {
        let Some(section) = table.get_mut(section).and_then(toml::Value::as_table_mut) else { continue };
        match section.get(&file_key(key)).cloned() {
            Some(toml::Value::String(path)) if !path.is_empty() => {
                section.remove(key);
            }
            Some(toml::Value::Table(paths)) => {
                if let Some(values) = section.get_mut(key).and_then(toml::Value::as_table_mut) {
                    values.retain(|name, _| !paths.contains_key(name));
                }
            }
            _ => {}
        }
    }
}

fn read(sources: &Figment, section: &str, key: &str) -> Vec<Result<FromFile, ConfigError>> {
    let path_of = |value: &Value| value.as_str().filter(|path| !path.is_empty()).map(PathBuf::from);
    let value = sources.find_value(&format!("{section}.{key}")).ok();
    // Paths that are no text are reported when the settings are parsed.
    let Ok(named) = sources.find_value(&format!("{section}.{}", file_key(key))) else { return Vec::new() };
    let read = |name: Option<&String>, named: &Value, is_set: bool| {
        let path = path_of(named)?;
        let full = |key: &str| [section, key].into_iter().chain(name.map(String::as_str)).collect::<Vec<_>>().join(".");
        let refuse = |problem| ConfigError::Invalid {
            path: full(&file_key(key)),
            problem,
            source_name: sources.get_metadata(named.tag()).and_then(source_name),
        };
        if is_set {
            return Some(Err(refuse(format!("must not be set beside {}; remove one of the two", full(key)))));
        }
        let keys = [section, key].into_iter().map(str::to_owned).chain(name.cloned()).collect();
        let content = content(&path).map_err(|problem| refuse(format!("cannot be used: {problem}")));
        Some(content.map(|value| FromFile { keys, value, path }))
    };
    match &named {
        Value::Dict(_, files) => {
            let values = value.as_ref().and_then(Value::as_dict);
            let is_set = |name: &String| values.is_some_and(|values| values.contains_key(name));
            files.iter().filter_map(|(name, file)| read(Some(name), file, is_set(name))).collect()
        }
        file => read(None, file, value.is_some()).into_iter().collect(),
    }
}

fn file_key(key: &str) -> String {
    format!("{key}_file")
}

/// The content of a file without the line end that editors add. The error completes the sentence "the key cannot be used: ...".
fn content(path: &Path) -> Result<String, String> {
    let bytes = file::read(path, MAX_BYTES).map_err(|error| error_chain(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(value.to_owned()) }
}

#[cfg(test)]
mod tests;
