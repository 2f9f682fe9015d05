//! Encodes profiles and smart cards as messages of the contract.

use super::v1;
use super::v1::credential::Item as ItemMessage;
use crate::domain::{Credential, CredentialIds, CredentialStatus, Item, Lineage, PhysicalCard, ProfileId, SmartcardId};

/// Encodes a profile or a smart card.
#[must_use]
pub fn credential(credential: &Credential) -> v1::Credential {
    let (lineage, parent) = lineage(credential.lineage);
    v1::Credential {
        item: Some(item(&credential.item)),
        owner: credential.owner.to_string(),
        profile_template: credential.template.id.to_string(),
        profile_template_version: credential.template.version,
        status: credential_status(credential.status).into(),
        lineage: lineage.into(),
        parent: credential_ids(parent),
        comment: credential.comment.as_str().to_owned(),
    }
}

fn item(item: &Item) -> ItemMessage {
    match item {
        Item::Profile { id, smartcard } => ItemMessage::Profile(v1::Profile {
            id: id.to_string(),
            smartcard: smartcard.as_ref().map(SmartcardId::to_string).unwrap_or_default(),
        }),
        Item::Smartcard { id, profile, card } => ItemMessage::Smartcard(v1::Smartcard {
            id: id.to_string(),
            profile: profile.as_ref().map(ProfileId::to_string).unwrap_or_default(),
            serial_number: text(card.as_ref(), |card| card.serial_number.as_str()),
            atr: text(card.as_ref(), |card| card.atr.as_str()),
        }),
    }
}

fn text(card: Option<&PhysicalCard>, part: impl Fn(&PhysicalCard) -> &str) -> String {
    card.map(|card| part(card).to_owned()).unwrap_or_default()
}

const fn lineage(lineage: Lineage) -> (v1::CredentialLineage, CredentialIds) {
    match lineage {
        Lineage::First => (v1::CredentialLineage::First, CredentialIds::NONE),
        Lineage::Replaces(parent) => (v1::CredentialLineage::Replaces, parent),
        Lineage::Duplicates(parent) => (v1::CredentialLineage::Duplicates, parent),
        Lineage::StandsInFor(parent) => (v1::CredentialLineage::StandsInFor, parent),
    }
}

/// Encodes the status of a profile or smart card.
#[must_use]
pub const fn credential_status(status: CredentialStatus) -> v1::CredentialStatus {
    match status {
        CredentialStatus::New => v1::CredentialStatus::New,
        CredentialStatus::Assigned => v1::CredentialStatus::Assigned,
        CredentialStatus::Active => v1::CredentialStatus::Active,
        CredentialStatus::Disabled => v1::CredentialStatus::Disabled,
        CredentialStatus::Suspended => v1::CredentialStatus::Suspended,
        CredentialStatus::Retired => v1::CredentialStatus::Retired,
    }
}

/// Encodes a profile and smart card; `None` if there is neither.
#[must_use]
pub fn credential_ids(credential_ids: CredentialIds) -> Option<v1::CredentialIds> {
    (!credential_ids.is_none()).then(|| v1::CredentialIds {
        profile: credential_ids.profile.map(|id| id.to_string()).unwrap_or_default(),
        smartcard: credential_ids.smartcard.map(|id| id.to_string()).unwrap_or_default(),
    })
}
