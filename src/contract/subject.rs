//! Profiles and smart cards as messages of the contract.

use super::encode::credential;
use super::v1;
use super::v1::subject::Item as ItemMessage;
use crate::domain::{Card, Credential, Item, Lineage, ProfileId, SmartcardId, Standing, Subject};

/// A profile or a smart card.
#[must_use]
pub fn subject(subject: &Subject) -> v1::Subject {
    let (lineage, parent) = lineage(subject.lineage);
    v1::Subject {
        item: Some(item(&subject.item)),
        owner: subject.owner.to_string(),
        profile_template: subject.template.id.to_string(),
        profile_template_version: subject.template.version,
        status: standing(subject.standing).into(),
        lineage: lineage.into(),
        parent: credential(parent),
        comment: subject.comment.as_str().to_owned(),
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
            card_id: text(card.as_ref(), |card| card.card_id.as_str()),
            atr: text(card.as_ref(), |card| card.atr.as_str()),
        }),
    }
}

fn text(card: Option<&Card>, part: impl Fn(&Card) -> &str) -> String {
    card.map(|card| part(card).to_owned()).unwrap_or_default()
}

const fn lineage(lineage: Lineage) -> (v1::SubjectLineage, Credential) {
    match lineage {
        Lineage::First => (v1::SubjectLineage::First, Credential::NONE),
        Lineage::Replaces(parent) => (v1::SubjectLineage::Replaces, parent),
        Lineage::Duplicates(parent) => (v1::SubjectLineage::Duplicates, parent),
        Lineage::StandsInFor(parent) => (v1::SubjectLineage::StandsInFor, parent),
    }
}

/// Where a profile or a smart card stands.
#[must_use]
pub const fn standing(standing: Standing) -> v1::SubjectStatus {
    match standing {
        Standing::New => v1::SubjectStatus::New,
        Standing::Assigned => v1::SubjectStatus::Assigned,
        Standing::Active => v1::SubjectStatus::Active,
        Standing::Disabled => v1::SubjectStatus::Disabled,
        Standing::Suspended => v1::SubjectStatus::Suspended,
        Standing::Retired => v1::SubjectStatus::Retired,
    }
}
