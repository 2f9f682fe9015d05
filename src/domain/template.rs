//! Profile templates: what can be asked for, and under which policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DataItem, Principal, Priority, RequestType, TemplateId};

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

/// The workflow policy for one type of request. The policy in force is stored with each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether requests of this type are taken.
    pub enabled: bool,
    /// Distinct approvals that a request needs; 0: it is approved at once.
    pub approvals_needed: u8,
    /// Priority when the creator names none.
    pub default_priority: Priority,
    /// Whether users may ask for themselves.
    pub self_service: bool,
    /// Whether an enrollment agent has to execute the request, instead of its target.
    pub enrollment_agent_required: bool,
    /// Who may ask for others; empty: every caller.
    pub initiators: Vec<Principal>,
    /// Who may approve and deny; empty: every caller. Originator and target never may.
    pub approvers: Vec<Principal>,
    /// Who may execute; empty: the target, or every caller if an enrollment agent is required.
    pub agents: Vec<Principal>,
    /// Data items to collect.
    pub data_items: Vec<DataItemDefinition>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: true,
            approvals_needed: 0,
            default_priority: Priority(0),
            self_service: true,
            enrollment_agent_required: false,
            initiators: Vec::new(),
            approvers: Vec::new(),
            agents: Vec::new(),
            data_items: Vec::new(),
        }
    }
}

/// A data item that a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataItemDefinition {
    /// Name, the key of the item in the request.
    pub name: String,
    /// Who has to provide it.
    pub provider: Provider,
}

/// Who provides a data item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// The target of the request.
    Subscriber,
    /// Its initiator or an approver.
    CertificateManager,
}

impl Policy {
    /// Whether `provider` has delivered all the items that this policy asks of it; true if it asks for none.
    #[must_use]
    pub fn is_provided_by(&self, provider: Provider, items: &[DataItem]) -> bool {
        self.data_items
            .iter()
            .filter(|definition| definition.provider == provider)
            .all(|definition| items.iter().any(|item| item.is_named(&definition.name) && item.value().is_some()))
    }
}
