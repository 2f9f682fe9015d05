//! Workflow policies: under which conditions a template takes a type of request, and what it asks for.
//!
//! The fields are those of `ProfileTemplatePolicy` of FIM CM 2010 (SDK page bb456901). Those that say nothing about the
//! life cycle are kept for the clients that ask for them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{DataItem, DataItemDefinition, Principal, Priority, Provider, Refusal};

/// The workflow policy for one type of request. The policy in force is stored with each request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
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
    /// Whether a request is approved only once it holds every required item of the certificate manager. MIM CM's REST
    /// API did not insist.
    pub insists_on_required_items: bool,
    /// Whether a user interface asks for a comment.
    pub collect_comments: bool,
    /// Whether a user interface asks for a priority.
    pub collect_request_priority: bool,
    /// Documents that are printed with a request, by name.
    pub documents: Vec<String>,
    /// How one-time passwords are made and handed out.
    pub one_time_passwords: OneTimePasswords,
    /// How a card is printed, as its printing software understands it.
    pub personalization: BTreeMap<String, String>,
    /// Whether whoever executes an online update may choose certificate templates.
    pub allow_specify_certificate_template: bool,
    /// What holds for temporary cards alone.
    pub temporary_cards: TemporaryCards,
}

/// How one-time passwords are made and handed out (`OneTimePasswordPolicy`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneTimePasswords {
    /// Name of the type that makes them.
    pub secret_provider_type: String,
    /// What that type is told.
    pub secret_provider_data: String,
    /// One entry for each password.
    pub distribution: Vec<Distribution>,
}

/// How one password is handed out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// Number of the way in MIM CM, whose documents name the first alone: to do nothing.
    pub distribution_type: u8,
    /// Text of the mail.
    #[serde(default)]
    pub email_template: String,
}

/// What the policy of temporary cards says beyond the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
pub struct TemporaryCards {
    /// Whether a kiosk may retire them.
    pub allow_kiosk_retirement: bool,
    /// Whether they are enrolled without being asked for.
    pub autoenroll_enabled: bool,
    /// Whether their administrator PIN is blocked.
    pub block_admin_pin: bool,
    /// Whether one user may hold any number of them.
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
    /// Most approvals that a policy may need. A pending request keeps room for the comments of all of them.
    pub const MAX_APPROVALS: u8 = 16;

    /// Whether `provider` has delivered all the items that this policy asks of it; true if it asks for none.
    #[must_use]
    pub fn is_provided_by(&self, provider: Provider, items: &[DataItem]) -> bool {
        self.asked_of(provider).all(|definition| is_delivered(definition, items))
    }

    /// Checks what was delivered in `field` against the definitions. Items that the policy does not ask for are free.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming every item whose value cannot be right.
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

    /// Checks that a request which is about to be approved holds what the policy insists on.
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
