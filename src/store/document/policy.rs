//! The stored form of a workflow policy, kept with each template and with each request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Malformed;
use super::vocabulary::{StoredDataItemType, StoredProvider};
use crate::domain::{
    DataItemDefinition, Distribution, OneTimePasswords, Pattern, Policy, Principal, Priority, TemporaryCards,
};

/// Stored form of [`Policy`].
#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
pub(super) struct StoredPolicy<'a> {
    enabled: bool,
    approvals_needed: u8,
    default_priority: u8,
    self_service: bool,
    enrollment_agent_required: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    initiators: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    approvers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    agents: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    data_items: Vec<StoredDefinition<'a>>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    insists_on_required_items: bool,
    #[serde(default, skip_serializing_if = "super::is_default")]
    collect_comments: bool,
    #[serde(default, skip_serializing_if = "super::is_default")]
    collect_request_priority: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    documents: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    one_time_passwords: StoredOneTimePasswords<'a>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    personalization: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    allow_specify_certificate_template: bool,
    #[serde(default, skip_serializing_if = "super::is_default")]
    temporary_cards: StoredTemporaryCards,
}

#[derive(Serialize, Deserialize)]
struct StoredDefinition<'a> {
    name: Cow<'a, str>,
    provider: StoredProvider,
    #[serde(default, skip_serializing_if = "super::is_default")]
    required: bool,
    /// Absent for text.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<StoredDataItemType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<Cow<'a, str>>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct StoredOneTimePasswords<'a> {
    #[serde(default, skip_serializing_if = "str::is_empty")]
    secret_provider_type: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    secret_provider_data: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    distribution: Vec<StoredDistribution<'a>>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct StoredDistribution<'a> {
    distribution_type: u8,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    email_template: Cow<'a, str>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
struct StoredTemporaryCards {
    #[serde(default, skip_serializing_if = "super::is_default")]
    allow_kiosk_retirement: bool,
    #[serde(default, skip_serializing_if = "super::is_default")]
    autoenroll_enabled: bool,
    #[serde(default, skip_serializing_if = "super::is_default")]
    block_admin_pin: bool,
    #[serde(default, skip_serializing_if = "super::is_default")]
    unlimited_issued_allowed: bool,
}

impl<'a> From<&'a Policy> for StoredPolicy<'a> {
    fn from(policy: &'a Policy) -> Self {
        let Policy {
            enabled,
            approvals_needed,
            default_priority,
            self_service,
            enrollment_agent_required,
            initiators,
            approvers,
            agents,
            data_items,
            insists_on_required_items,
            collect_comments,
            collect_request_priority,
            documents,
            one_time_passwords,
            personalization,
            allow_specify_certificate_template,
            temporary_cards,
        } = policy;
        let names = |principals: &[Principal]| principals.iter().map(Principal::to_string).collect();
        Self {
            enabled: *enabled,
            approvals_needed: *approvals_needed,
            default_priority: default_priority.0,
            self_service: *self_service,
            enrollment_agent_required: *enrollment_agent_required,
            initiators: names(initiators),
            approvers: names(approvers),
            agents: names(agents),
            data_items: data_items.iter().map(StoredDefinition::from).collect(),
            insists_on_required_items: *insists_on_required_items,
            collect_comments: *collect_comments,
            collect_request_priority: *collect_request_priority,
            documents: documents.iter().map(Cow::from).collect(),
            one_time_passwords: one_time_passwords.into(),
            personalization: personalization.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            allow_specify_certificate_template: *allow_specify_certificate_template,
            temporary_cards: (*temporary_cards).into(),
        }
    }
}

impl TryFrom<StoredPolicy<'_>> for Policy {
    type Error = Malformed;

    fn try_from(stored: StoredPolicy<'_>) -> Result<Self, Malformed> {
        let principals = |names: Vec<String>| names.into_iter().map(Principal::try_from).collect::<Result<_, _>>();
        let personalization = stored.personalization.into_iter();
        Ok(Self {
            enabled: stored.enabled,
            approvals_needed: stored.approvals_needed,
            default_priority: Priority(stored.default_priority),
            self_service: stored.self_service,
            enrollment_agent_required: stored.enrollment_agent_required,
            initiators: principals(stored.initiators)?,
            approvers: principals(stored.approvers)?,
            agents: principals(stored.agents)?,
            data_items: stored.data_items.into_iter().map(DataItemDefinition::from).collect(),
            insists_on_required_items: stored.insists_on_required_items,
            collect_comments: stored.collect_comments,
            collect_request_priority: stored.collect_request_priority,
            documents: stored.documents.into_iter().map(Cow::into_owned).collect(),
            one_time_passwords: stored.one_time_passwords.into(),
            personalization: personalization.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
            allow_specify_certificate_template: stored.allow_specify_certificate_template,
            temporary_cards: stored.temporary_cards.into(),
        })
    }
}

impl<'a> From<&'a DataItemDefinition> for StoredDefinition<'a> {
    fn from(DataItemDefinition { name, provider, required, kind, pattern }: &'a DataItemDefinition) -> Self {
        let kind = StoredDataItemType::from(*kind);
        Self {
            name: name.into(),
            provider: (*provider).into(),
            required: *required,
            kind: (kind != StoredDataItemType::String).then_some(kind),
            pattern: pattern.as_ref().map(|pattern| pattern.as_str().into()),
        }
    }
}

impl From<StoredDefinition<'_>> for DataItemDefinition {
    fn from(StoredDefinition { name, provider, required, kind, pattern }: StoredDefinition<'_>) -> Self {
        Self {
            name: name.into_owned(),
            provider: provider.into(),
            required,
            kind: kind.unwrap_or(StoredDataItemType::String).into(),
            pattern: pattern.map(|text| Pattern::from(text.into_owned())),
        }
    }
}

impl<'a> From<&'a OneTimePasswords> for StoredOneTimePasswords<'a> {
    fn from(passwords: &'a OneTimePasswords) -> Self {
        let OneTimePasswords { secret_provider_type, secret_provider_data, distribution } = passwords;
        let stored = |Distribution { distribution_type, email_template }: &'a Distribution| StoredDistribution {
            distribution_type: *distribution_type,
            email_template: email_template.into(),
        };
        Self {
            secret_provider_type: secret_provider_type.into(),
            secret_provider_data: secret_provider_data.into(),
            distribution: distribution.iter().map(stored).collect(),
        }
    }
}

impl From<StoredOneTimePasswords<'_>> for OneTimePasswords {
    fn from(stored: StoredOneTimePasswords<'_>) -> Self {
        let distribution = stored.distribution.into_iter().map(|stored| Distribution {
            distribution_type: stored.distribution_type,
            email_template: stored.email_template.into_owned(),
        });
        Self {
            secret_provider_type: stored.secret_provider_type.into_owned(),
            secret_provider_data: stored.secret_provider_data.into_owned(),
            distribution: distribution.collect(),
        }
    }
}

impl From<TemporaryCards> for StoredTemporaryCards {
    fn from(cards: TemporaryCards) -> Self {
        let TemporaryCards { allow_kiosk_retirement, autoenroll_enabled, block_admin_pin, unlimited_issued_allowed } =
            cards;
        Self { allow_kiosk_retirement, autoenroll_enabled, block_admin_pin, unlimited_issued_allowed }
    }
}

impl From<StoredTemporaryCards> for TemporaryCards {
    fn from(stored: StoredTemporaryCards) -> Self {
        let StoredTemporaryCards {
            allow_kiosk_retirement,
            autoenroll_enabled,
            block_admin_pin,
            unlimited_issued_allowed,
        } = stored;
        Self { allow_kiosk_retirement, autoenroll_enabled, block_admin_pin, unlimited_issued_allowed }
    }
}
