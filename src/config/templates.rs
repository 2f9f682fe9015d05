//! Profile templates: a directory with one TOML file for each.
//!
//! A file may also list profiles and cards that were issued under its template before this service existed, so that requests
//! can name them.

mod policy;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::providers::Serialized;
use figment::{Figment, error::Kind};
use serde::Deserialize;
use thiserror::Error;
use uuid::Uuid;

use crate::domain::{
    Comment, Credential, CredentialStatus, Item, Lineage, Medium, Policy, ProfileId, ProfileTemplate, RequestType,
    SmartcardConfiguration, SmartcardId, TemplateId, TemplateRef, UserId,
};
use crate::runtime::file::toml_problem;

/// The contents of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates {
    /// The templates, in the order of their files' names.
    pub templates: Vec<ProfileTemplate>,
    /// Profiles and cards that were issued under them before this service existed.
    pub credentials: Vec<Credential>,
}

/// Why the templates were refused.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// A file or the directory cannot be read.
    #[error("cannot read the templates in {path}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The directory has no template, so every request would be refused.
    #[error("the templates directory {path} contains no *.toml file", path = path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// A file is not TOML.
    #[error("{path}, line {line}: {problem}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A key is unknown, or its value is not valid.
    #[error("{path}: {key} {problem}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key, for example `policies.enroll.approvals_needed`.
        key: String,
        /// What is wrong with it, to follow the key in a sentence.
        problem: String,
    },
}

/// Reads every `*.toml` of a directory.
///
/// # Errors
/// The first problem, with its file and key.
pub fn load(directory: &Path) -> Result<Templates, TemplateError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| TemplateError::Unreadable { path, source }
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(TemplateError::Empty { path: directory.to_owned() });
    }
    paths.sort();

    let mut loaded = Templates::default();
    let mut seen = Seen::default();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        let file = TemplateFile::parse(&path, &text)?;
        let invalid = |(key, problem)| TemplateError::Invalid { path: path.clone(), key, problem };
        file.check().map_err(invalid)?;
        seen.note(&path, &file).map_err(invalid)?;
        let (template, credentials) = file.into_parts();
        loaded.templates.push(template);
        loaded.credentials.extend(credentials);
    }
    Ok(loaded)
}

/// A file: a template with the profiles and cards that were issued under it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateFile {
    uuid: TemplateId,
    name: String,
    #[serde(default)]
    description: String,
    medium: Medium,
    #[serde(default)]
    policies: BTreeMap<RequestType, Arc<Policy>>,
    #[serde(default)]
    smartcard: SmartcardConfiguration,
    #[serde(default)]
    credentials: Vec<IssuedCredential>,
}

/// A profile, a card, or a profile on a card, issued before this service existed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuedCredential {
    profile: Option<ProfileId>,
    smartcard: Option<SmartcardId>,
    owner: UserId,
}

impl IssuedCredential {
    /// The profile and the card, active since the first version of their template.
    fn into_credentials(self, template: TemplateId) -> impl Iterator<Item = Credential> {
        let Self { profile, smartcard, owner } = self;
        let card = smartcard.map(|id| Item::Smartcard { id, profile, card: None });
        let profile = profile.map(|id| Item::Profile { id, smartcard });
        [card, profile].into_iter().flatten().map(move |item| Credential {
            item,
            owner,
            template: TemplateRef { id: template, version: 1 },
            status: CredentialStatus::Active,
            lineage: Lineage::First,
            comment: Comment::default(),
        })
    }
}

/// A key and what is wrong with it.
type Problem = (String, String);

fn require(condition: bool, key: impl Into<String>, problem: impl Into<String>) -> Result<(), Problem> {
    if condition { Ok(()) } else { Err((key.into(), problem.into())) }
}

impl TemplateFile {
    fn parse(path: &Path, text: &str) -> Result<Self, TemplateError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let (line, problem) = toml_problem(text, &error);
            TemplateError::Syntax { path: path.to_owned(), line, problem }
        })?;
        // Deserialized by figment because its errors name the key.
        Figment::from(Serialized::defaults(table)).extract().map_err(|error| {
            let problem = match &error.kind {
                Kind::UnknownField(_, known) => format!("is not a known key; known are {}", known.join(", ")),
                Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
                Kind::MissingField(name) => format!("lacks {name}"),
                kind => format!("is not valid: {kind}"),
            };
            let key = if error.path.is_empty() { "the file".to_owned() } else { error.path.join(".") };
            TemplateError::Invalid { path: path.to_owned(), key, problem }
        })
    }

    fn check(&self) -> Result<(), Problem> {
        require(!self.name.trim().is_empty(), "name", "must not be empty")?;
        let is_offered = self.policies.values().any(|policy| policy.enabled);
        require(is_offered, "policies", "must contain an enabled policy; otherwise every request is refused")?;
        let fits = self.medium == Medium::Smartcard || self.smartcard == SmartcardConfiguration::default();
        require(fits, "smartcard", "requires medium = \"smartcard\"")?;
        let key = &self.smartcard.default_admin_key_hex;
        let is_hex = key.bytes().all(|digit| digit.is_ascii_hexdigit()) && key.len().is_multiple_of(2);
        require(is_hex, "smartcard.default_admin_key_hex", "must be an even number of hexadecimal digits")?;
        for (kind, policy) in &self.policies {
            let key = format!("policies.{}", kind.name());
            let fits = !kind.needs_smartcard() || self.medium == Medium::Smartcard;
            require(fits, &key, "requires medium = \"smartcard\"")?;
            policy::check(&key, *kind, policy)?;
        }
        for (index, credential) in self.credentials.iter().enumerate() {
            let key = format!("credentials[{index}]");
            require(
                credential.profile.is_some() || credential.smartcard.is_some(),
                &key,
                "lacks profile or smartcard",
            )?;
            let fits = credential.smartcard.is_none() || self.medium == Medium::Smartcard;
            require(fits, format!("{key}.smartcard"), "requires medium = \"smartcard\"")?;
        }
        Ok(())
    }

    fn into_parts(self) -> (ProfileTemplate, impl Iterator<Item = Credential>) {
        let Self { uuid: id, name, description, medium, policies, smartcard, credentials } = self;
        let credentials = credentials.into_iter().flat_map(move |credential| credential.into_credentials(id));
        (ProfileTemplate { id, name, description, medium, policies, smartcard }, credentials)
    }
}

/// The ids seen so far, each with its file.
#[derive(Default)]
struct Seen {
    templates: HashMap<TemplateId, PathBuf>,
    credentials: HashMap<Uuid, PathBuf>,
}

impl Seen {
    fn note(&mut self, path: &Path, file: &TemplateFile) -> Result<(), Problem> {
        let again = |earlier: &Path| format!("is already used in {}", earlier.display());
        if let Some(earlier) = self.templates.insert(file.uuid, path.to_owned()) {
            return Err(("uuid".to_owned(), again(&earlier)));
        }
        for (index, credential) in file.credentials.iter().enumerate() {
            let ids = [
                ("profile", credential.profile.map(ProfileId::uuid)),
                ("smartcard", credential.smartcard.map(SmartcardId::uuid)),
            ];
            for (name, id) in ids {
                let earlier = id.and_then(|id| self.credentials.insert(id, path.to_owned()));
                if let Some(earlier) = earlier {
                    return Err((format!("credentials[{index}].{name}"), again(&earlier)));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
