//! The stored form of a profile template, one row for each version.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::policy::StoredPolicy;
use super::vocabulary::{StoredMedium, StoredRequestType};
use super::{Document, FormVersion, Malformed};
use crate::domain::{Policy, ProfileTemplate, SmartcardConfiguration, TemplateId, TemplateRef};

/// A profile template. A template gets a new version when its document changes, so a field that was added later is left
/// out while it has its default.
#[derive(Serialize, Deserialize)]
struct StoredTemplate<'a> {
    v: FormVersion<1>,
    uuid: Uuid,
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    description: Cow<'a, str>,
    medium: StoredMedium,
    policies: BTreeMap<StoredRequestType, StoredPolicy<'a>>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    smartcard: StoredSmartcardConfiguration<'a>,
}

/// Stored form of [`SmartcardConfiguration`].
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the documents, independent of each other")]
struct StoredSmartcardConfiguration<'a> {
    #[serde(rename = "virtual", skip_serializing_if = "super::is_default")]
    is_virtual: bool,
    #[serde(skip_serializing_if = "super::is_default")]
    allow_smartcard_reuse: bool,
    #[serde(skip_serializing_if = "super::is_default")]
    certificate_label: Cow<'a, str>,
    #[serde(skip_serializing_if = "super::is_default")]
    card_initialization_data: Cow<'a, str>,
    #[serde(skip_serializing_if = "super::is_default")]
    card_initialization_type: u8,
    #[serde(skip_serializing_if = "super::is_default")]
    default_admin_key_hex: Cow<'a, str>,
    #[serde(skip_serializing_if = "super::is_default")]
    diversify_admin_key: bool,
    #[serde(skip_serializing_if = "super::is_default")]
    do_not_install_ca_certificates: bool,
    #[serde(skip_serializing_if = "super::is_default")]
    erase_on_overflow: bool,
    #[serde(skip_serializing_if = "super::is_default")]
    user_pin_option: u8,
}

/// Stored form of [`TemplateRef`].
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredTemplateRef {
    id: Uuid,
    version: u32,
}

impl Document for ProfileTemplate {
    fn encode(&self) -> serde_json::Result<String> {
        serde_json::to_string(&StoredTemplate::from(self))
    }

    fn decode(text: &str) -> Result<Self, Malformed> {
        serde_json::from_str::<StoredTemplate<'_>>(text)?.try_into()
    }
}

impl<'a> From<&'a ProfileTemplate> for StoredTemplate<'a> {
    fn from(template: &'a ProfileTemplate) -> Self {
        let ProfileTemplate { id, name, description, medium, policies, smartcard } = template;
        Self {
            v: FormVersion,
            uuid: id.uuid(),
            name: name.into(),
            description: description.into(),
            medium: (*medium).into(),
            policies: policies.iter().map(|(kind, policy)| ((*kind).into(), policy.as_ref().into())).collect(),
            smartcard: smartcard.into(),
        }
    }
}

impl TryFrom<StoredTemplate<'_>> for ProfileTemplate {
    type Error = Malformed;

    fn try_from(stored: StoredTemplate<'_>) -> Result<Self, Malformed> {
        let policies = stored.policies.into_iter();
        let policies = policies.map(|(kind, policy)| Ok((kind.into(), Arc::new(Policy::try_from(policy)?))));
        Ok(Self {
            id: TemplateId::new(stored.uuid),
            name: stored.name.into_owned(),
            description: stored.description.into_owned(),
            medium: stored.medium.into(),
            policies: policies.collect::<Result<_, Malformed>>()?,
            smartcard: stored.smartcard.into(),
        })
    }
}

impl<'a> From<&'a SmartcardConfiguration> for StoredSmartcardConfiguration<'a> {
    fn from(configuration: &'a SmartcardConfiguration) -> Self {
        let SmartcardConfiguration {
            is_virtual,
            allow_smartcard_reuse,
            certificate_label,
            card_initialization_data,
            card_initialization_type,
            default_admin_key_hex,
            diversify_admin_key,
            do_not_install_ca_certificates,
            erase_on_overflow,
            user_pin_option,
        } = configuration;
        Self {
            is_virtual: *is_virtual,
            allow_smartcard_reuse: *allow_smartcard_reuse,
            certificate_label: certificate_label.into(),
            card_initialization_data: card_initialization_data.into(),
            card_initialization_type: *card_initialization_type,
            default_admin_key_hex: default_admin_key_hex.into(),
            diversify_admin_key: *diversify_admin_key,
            do_not_install_ca_certificates: *do_not_install_ca_certificates,
            erase_on_overflow: *erase_on_overflow,
            user_pin_option: *user_pin_option,
        }
    }
}

impl From<StoredSmartcardConfiguration<'_>> for SmartcardConfiguration {
    fn from(stored: StoredSmartcardConfiguration<'_>) -> Self {
        Self {
            is_virtual: stored.is_virtual,
            allow_smartcard_reuse: stored.allow_smartcard_reuse,
            certificate_label: stored.certificate_label.into_owned(),
            card_initialization_data: stored.card_initialization_data.into_owned(),
            card_initialization_type: stored.card_initialization_type,
            default_admin_key_hex: stored.default_admin_key_hex.into_owned(),
            diversify_admin_key: stored.diversify_admin_key,
            do_not_install_ca_certificates: stored.do_not_install_ca_certificates,
            erase_on_overflow: stored.erase_on_overflow,
            user_pin_option: stored.user_pin_option,
        }
    }
}

impl From<TemplateRef> for StoredTemplateRef {
    fn from(TemplateRef { id, version }: TemplateRef) -> Self {
        Self { id: id.uuid(), version }
    }
}

impl From<StoredTemplateRef> for TemplateRef {
    fn from(StoredTemplateRef { id, version }: StoredTemplateRef) -> Self {
        Self { id: TemplateId::new(id), version }
    }
}
