//! Profile templates: what can be asked for, and under which policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Policy, RequestType, TemplateId};

/// A profile template: a kind of smart card or software profile, with a policy for each type of request that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileTemplate {
    /// Identifier.
    #[serde(rename = "uuid")]
    pub id: TemplateId,
    /// Name for display.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What is issued.
    pub medium: Medium,
    /// The policy of each type; a type that is not listed is not offered.
    #[serde(default)]
    pub policies: BTreeMap<RequestType, Policy>,
}

/// What a template issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// A profile of certificates kept by software.
    Software,
    /// A smart card, physical or virtual.
    Smartcard,
}
