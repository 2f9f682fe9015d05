//! Variables of the environment beside the settings: the file of defaults, and variables that look like settings but are none.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::Config;

/// Names a file of defaults, which ranks below `--config`. Container images and units set it, so that nothing they bring along
/// outranks the operator's file.
pub(super) const DEFAULTS: &str = "CMGATE_DEFAULTS";
/// Begin of the names that belong to this program.
const PREFIX: &str = "CMGATE_";
/// Tables whose keys are not known in advance.
const OPEN_TABLES: [&str; 2] = ["auth_", "kafka_properties_"];

/// The file of defaults, if the environment names one.
pub(super) fn defaults_file(environment: &[(OsString, OsString)]) -> Option<&Path> {
    let named = environment.iter().find(|(name, _)| name.as_os_str() == OsStr::new(DEFAULTS));
    named.map(|(_, path)| Path::new(path)).filter(|path| !path.as_os_str().is_empty())
}

/// A sentence for each variable that has the name of a setting with single underscores, and is therefore ignored.
#[must_use]
pub fn ignored_variables(environment: &[(OsString, OsString)]) -> Vec<String> {
    let keys = keys();
    let names = environment.iter().filter_map(|(name, _)| name.to_str());
    names.filter_map(|name| meant(name, &keys).map(|meant| sentence(name, &meant))).collect()
}

fn sentence(name: &str, meant: &str) -> String {
    format!("the environment variable {name} is ignored; two underscores separate the keys of a setting: {meant}")
}

/// The variable that would set what `name` seems to set; `None` if `name` sets it, or seems to set nothing. Kubernetes adds variables
/// such as `CMGATE_SERVICE_HOST` for a service of the name cmgate, which are no settings.
fn meant(name: &str, keys: &[String]) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    let single = rest.trim_start_matches('_').replace("__", "_").to_ascii_lowercase();
    let key = keys.iter().find(|key| key.replace('.', "_") == single);
    let variable = match key {
        Some(key) => format!("{PREFIX}_{}", key.replace('.', "__").to_ascii_uppercase()),
        None if OPEN_TABLES.iter().any(|table| single.starts_with(table)) && !rest.starts_with('_') => {
            format!("{PREFIX}_SECTION__KEY")
        }
        None => return None,
    };
    (variable != name.to_ascii_uppercase()).then_some(variable)
}

/// The keys of the settings outside open tables, such as `database.url`.
fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    if let Ok(table) = toml::Table::try_from(Config::default()) {
        collect("", &table, &mut keys);
    }
    keys
}

fn collect(section: &str, table: &toml::Table, keys: &mut Vec<String>) {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        match value {
            toml::Value::Table(inner) => collect(&key, inner, keys),
            _ => keys.push(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_with_single_underscores_is_named_with_its_right_form() {
        for (name, right) in [
            ("CMGATE_LISTEN", "CMGATE__LISTEN"),
            ("CMGATE_ADMIN_LISTEN", "CMGATE__ADMIN_LISTEN"),
            ("CMGATE_DATABASE_URL", "CMGATE__DATABASE__URL"),
            ("CMGATE_DATABASE__URL", "CMGATE__DATABASE__URL"),
            ("CMGATE__KAFKA_BROKERS", "CMGATE__KAFKA__BROKERS"),
            ("CMGATE_KAFKA_PROPERTIES_SASL_PASSWORD", "CMGATE__SECTION__KEY"),
            ("CMGATE_AUTH__JWT__0__NAME", "CMGATE__SECTION__KEY"),
        ] {
            let ignored = ignored_variables(&[(OsString::from(name), OsString::from("canary"))]);
            let [told] = ignored.as_slice() else { panic!("{name}: {ignored:?}") };
            assert!(told.contains(&format!(" {name} is ignored")) && told.ends_with(&format!(": {right}")), "{told}");
            assert!(!told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn settings_and_variables_of_others_are_not_named() {
        for name in [
            "CMGATE__LISTEN",
            "CMGATE__DATABASE__URL",
            "CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD",
            "CMGATE__AUTH__JWT__0__NAME",
            "CMGATE_DEFAULTS",
            "CMGATE_SERVICE_HOST",
            "CMGATE_PORT_8080_TCP",
            "CMGATE_TEST_POSTGRES",
            "DATABASE_URL",
            "PATH",
        ] {
            assert_eq!(ignored_variables(&[(OsString::from(name), OsString::new())]), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn an_empty_name_of_a_file_is_none() {
        assert_eq!(defaults_file(&[(OsString::from(DEFAULTS), OsString::new())]), None);
        let named = [(OsString::from(DEFAULTS), OsString::from("a.toml"))];
        assert_eq!(defaults_file(&named), Some(Path::new("a.toml")));
    }
}
