//! Profile templates: what users can request, and under which policies.

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

/// A profile template: a kind of smart card or software profile with a policy for each request type it accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileTemplate {
    /// Identifier.
    pub id: TemplateId,
    /// Name for display.
    pub name: String,
    /// Purpose, for display.
    pub description: String,
    /// Smart card or software profile.
    pub medium: Medium,
    /// The policy of each request type; a type without one is not offered.
    pub policies: BTreeMap<RequestType, Arc<Policy>>,
    /// Handling of its smart cards; default in a software template.
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

/// Handling of smart cards (`SmartcardConfiguration`, SDK page bb468161), kept for programs that initialize cards. The
/// service itself does not use it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
pub struct SmartcardConfiguration {
    /// Whether the cards are virtual, held by the TPM of a computer.
    #[serde(rename = "virtual")]
    pub is_virtual: bool,
    /// Whether a retired card may be issued again.
    pub allow_smartcard_reuse: bool,
    /// Name of the certificates on the card.
    pub certificate_label: String,
    /// Argument of the program that initializes a card.
    pub card_initialization_data: String,
    /// Initialization method by its MIM CM number.
    pub card_initialization_type: u8,
    /// Factory administrator key of new cards, in hexadecimal digits.
    pub default_admin_key_hex: String,
    /// Whether each card gets its own administrator key.
    pub diversify_admin_key: bool,
    /// Whether CA certificates are kept off the card.
    pub do_not_install_ca_certificates: bool,
    /// Whether a full card is erased to make room.
    pub erase_on_overflow: bool,
    /// Source of the user PIN by its MIM CM number.
    pub user_pin_option: u8,
}

impl ProfileTemplate {
    /// Whether the caller may enroll for it, for themselves or for others.
    #[must_use]
    pub fn offers_enrollment_to(&self, caller: &Caller) -> bool {
        let policy = self.policies.get(&RequestType::Enroll);
        policy.is_some_and(|policy| policy.enabled && (policy.self_service || caller.is_among(&policy.initiators)))
    }
}
