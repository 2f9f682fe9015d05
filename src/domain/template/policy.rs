//! Workflow policies: the rules of a template for one request type.
//!
//! The fields are those of `ProfileTemplatePolicy` of FIM CM 2010 (SDK page bb456901). Those without an
//! effect on the life cycle are kept for the clients that read them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{DataItem, DataItemDefinition, Principal, Priority, Provider, Refusal};

/// The workflow policy for one type of request. The policy in force is stored with each request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
pub struct Policy {
    /// Whether requests of this type are accepted.
    pub enabled: bool,
    /// Approvals by distinct persons that a request requires; 0 approves it at once.
    pub approvals_needed: u8,
    /// Priority if the draft has none.
    pub default_priority: Priority,
    /// Whether users may create requests for themselves.
    pub self_service: bool,
    /// Whether an enrollment agent, not the target, executes the request.
    pub enrollment_agent_required: bool,
    /// Who may create requests for others; empty means everyone.
    pub initiators: Vec<Principal>,
    /// Who may approve and deny; empty means everyone but the originator and the target, who never may.
    pub approvers: Vec<Principal>,
    /// Who may execute; empty means the target, or everyone if an enrollment agent is required.
    pub agents: Vec<Principal>,
    /// Data items to collect.
    pub data_items: Vec<DataItemDefinition>,
    /// Whether approval requires every mandatory item of the certificate manager. The REST API of MIM CM did not.
    pub insists_on_required_items: bool,
    /// Whether user interfaces collect a comment.
    pub collect_comments: bool,
    /// Whether user interfaces collect a priority.
    pub collect_request_priority: bool,
    /// Names of the documents printed with a request.
    pub documents: Vec<String>,
    /// Generation and delivery of one-time passwords.
    pub one_time_passwords: OneTimePasswords,
    /// Settings of the card printing software.
    pub personalization: BTreeMap<String, String>,
    /// Whether the executor of an online update may choose certificate templates.
    pub allow_specify_certificate_template: bool,
    /// Rules for temporary cards.
    pub temporary_cards: TemporaryCards,
}

/// Generation and delivery of one-time passwords (`OneTimePasswordPolicy`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneTimePasswords {
    /// Name of the provider type that generates them.
    pub secret_provider_type: String,
    /// Argument of the provider.
    pub secret_provider_data: String,
    /// One entry per password.
    pub distribution: Vec<Distribution>,
}

/// Delivery of one password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// Delivery method by its MIM CM number; the documents name only the first, which delivers nothing.
    pub distribution_type: u8,
    /// Text of the mail.
    #[serde(default)]
    pub email_template: String,
}

/// Policy fields that only temporary cards have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
pub struct TemporaryCards {
    /// Whether a kiosk may retire them.
    pub allow_kiosk_retirement: bool,
    /// Whether they are enrolled automatically.
    pub autoenroll_enabled: bool,
    /// Whether their administrator PIN is blocked.
    pub block_admin_pin: bool,
    /// Whether a user may hold any number of them.
    pub unlimited_issued_allowed: bool,
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
            insists_on_required_items: false,
            collect_comments: false,
            collect_request_priority: false,
            documents: Vec::new(),
            one_time_passwords: OneTimePasswords::default(),
            personalization: BTreeMap::new(),
            allow_specify_certificate_template: false,
            temporary_cards: TemporaryCards::default(),
        }
    }
}

impl Policy {
    /// Upper bound of `approvals_needed`. A pending request reserves room for the comments of all approvals.
    pub const MAX_APPROVALS: u8 = 16;

    /// Whether `provider` has delivered every item that this policy requests from it.
    #[must_use]
    pub fn is_provided_by(&self, provider: Provider, items: &[DataItem]) -> bool {
        self.asked_of(provider).all(|definition| is_delivered(definition, items))
    }

    /// Checks items delivered in `field` against their definitions. Items without a definition may have any value.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming every item with an invalid value.
    pub(in crate::domain) fn check_delivered(&self, field: &str, delivered: &[DataItem]) -> Result<(), Refusal> {
        let mut wrong = Vec::new();
        for (index, item) in delivered.iter().enumerate() {
            let definition = self.data_items.iter().find(|definition| item.is_named(&definition.name));
            if let Some(problem) = definition.and_then(|definition| definition.problem_with(item)) {
                wrong.extend(Refusal::invalid(format!("{field}[{index}].value"), problem).violations());
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Refusal::Invalid(wrong)) }
    }

    /// Checks that a request holds every item that its approval requires.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] on `field`, naming the first item that is missing.
    pub(in crate::domain) fn check_complete(&self, field: &str, items: &[DataItem]) -> Result<(), Refusal> {
        let mut required = self.asked_of(Provider::CertificateManager).filter(|definition| definition.required);
        match required.find(|definition| self.insists_on_required_items && !is_delivered(definition, items)) {
            Some(missing) => {
                let problem = format!("must hold the item {:?}, which the certificate manager provides", missing.name);
                Err(Refusal::invalid(field, problem))
            }
            None => Ok(()),
        }
    }

    fn asked_of(&self, provider: Provider) -> impl Iterator<Item = &DataItemDefinition> {
        self.data_items.iter().filter(move |definition| definition.provider == provider)
    }
}

fn is_delivered(definition: &DataItemDefinition, items: &[DataItem]) -> bool {
    items.iter().any(|item| item.is_named(&definition.name) && item.value().is_some())
}

#[cfg(test)]
mod tests;
