//! Profile templates: what can be asked for, and under which policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::{Caller, RequestType, TemplateId};

mod catalog;
mod data_item_definition;
mod medium;
mod policy;

pub use catalog::Catalog;
pub use data_item_definition::{DataItemDefinition, DataItemType, Pattern, Provider};
pub use medium::Medium;
pub use policy::{Distribution, OneTimePasswords, Policy, TemporaryCards};

/// A profile template: a kind of smart card or software profile, with a policy for each type of request that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileTemplate {
    /// Identifier.
    pub id: TemplateId,
    /// Name for display.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What is issued.
    pub medium: Medium,
    /// The policy of each type; a type that is not listed is not offered.
    pub policies: BTreeMap<RequestType, Arc<Policy>>,
    /// How its smart cards are handled; says nothing in a template for software.
    pub smartcard: SmartcardConfiguration,
}

/// A template at one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateRef {
    /// The template.
    pub id: TemplateId,
    /// Its version, from 1.
    pub version: u32,
}

/// How smart cards are handled (`SmartcardConfiguration`, SDK page bb468161). It is kept for the programs that initialize
/// cards; the service itself does not regard it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
pub struct SmartcardConfiguration {
    /// Whether the cards are virtual, kept by the TPM of a computer.
    #[serde(rename = "virtual")]
    pub is_virtual: bool,
    /// Whether a card that was retired may be issued again.
    pub allow_smartcard_reuse: bool,
    /// Name of the certificates on the card.
    pub certificate_label: String,
    /// What the program is told that initializes a card.
    pub card_initialization_data: String,
    /// How a card is initialized, by its number in MIM CM.
    pub card_initialization_type: u8,
    /// The administrator key with which new cards are delivered, in hexadecimal digits.
    pub default_admin_key_hex: String,
    /// Whether every card gets an administrator key of its own.
    pub diversify_admin_key: bool,
    /// Whether certificates of authorities are kept off the card.
    pub do_not_install_ca_certificates: bool,
    /// Whether what is on a card is erased when there is no room for more.
    pub erase_on_overflow: bool,
    /// Who chooses the PIN of the user, by its number in MIM CM.
    pub user_pin_option: u8,
}

impl ProfileTemplate {
    /// Whether the caller may enroll for it: for himself or for somebody else.
    #[must_use]
    pub fn offers_enrollment_to(&self, caller: &Caller) -> bool {
        let policy = self.policies.get(&RequestType::Enroll);
        policy.is_some_and(|policy| policy.enabled && (policy.self_service || caller.is_among(&policy.initiators)))
    }
}
