//! The stored form of a credential: a profile or a smart card.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::template::StoredTemplateRef;
use super::vocabulary::StoredCredentialStatus;
use super::{Document, FormVersion, Malformed};
use crate::domain::{
    Atr, Comment, Credential, CredentialIds, Item, Lineage, PhysicalCard, ProfileId, SerialNumber, SmartcardId, UserId,
};

#[derive(Serialize, Deserialize)]
struct StoredCredential<'a> {
    v: FormVersion<1>,
    item: StoredItem<'a>,
    owner: Uuid,
    template: StoredTemplateRef,
    status: StoredCredentialStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lineage: Option<StoredLineage>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    comment: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredItem<'a> {
    Profile {
        id: Uuid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        smartcard: Option<Uuid>,
    },
    Smartcard {
        id: Uuid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<Uuid>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<StoredPhysicalCard<'a>>,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredPhysicalCard<'a> {
    serial_number: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    atr: Cow<'a, str>,
}

/// The earlier credential from which this one derives; absent if none.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredLineage {
    Replaces(StoredCredentialIds),
    Duplicates(StoredCredentialIds),
    StandsInFor(StoredCredentialIds),
}

/// Stored form of [`CredentialIds`].
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredCredentialIds {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    smartcard: Option<Uuid>,
}

impl Document for Credential {
    fn encode(&self) -> serde_json::Result<String> {
        serde_json::to_string(&StoredCredential::from(self))
    }

    fn decode(text: &str) -> Result<Self, Malformed> {
        serde_json::from_str::<StoredCredential<'_>>(text)?.try_into()
    }
}

impl<'a> From<&'a Credential> for StoredCredential<'a> {
    fn from(Credential { item, owner, template, status, lineage, comment }: &'a Credential) -> Self {
        Self {
            v: FormVersion,
            item: item.into(),
            owner: owner.uuid(),
            template: (*template).into(),
            status: (*status).into(),
            lineage: stored_lineage(*lineage),
            comment: comment.as_str().into(),
        }
    }
}

impl TryFrom<StoredCredential<'_>> for Credential {
    type Error = Malformed;

    fn try_from(stored: StoredCredential<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            item: stored.item.try_into()?,
            owner: UserId::new(stored.owner),
            template: stored.template.into(),
            status: stored.status.into(),
            lineage: stored.lineage.map_or(Lineage::First, Lineage::from),
            comment: Comment::unchecked(stored.comment.into_owned()),
        })
    }
}

impl<'a> From<&'a Item> for StoredItem<'a> {
    fn from(item: &'a Item) -> Self {
        match item {
            Item::Profile { id, smartcard } => {
                Self::Profile { id: id.uuid(), smartcard: smartcard.map(SmartcardId::uuid) }
            }
            Item::Smartcard { id, profile, card } => Self::Smartcard {
                id: id.uuid(),
                profile: profile.map(ProfileId::uuid),
                card: card.as_ref().map(StoredPhysicalCard::from),
            },
        }
    }
}

impl TryFrom<StoredItem<'_>> for Item {
    type Error = Malformed;

    fn try_from(stored: StoredItem<'_>) -> Result<Self, Malformed> {
        Ok(match stored {
            StoredItem::Profile { id, smartcard } => {
                Self::Profile { id: ProfileId::new(id), smartcard: smartcard.map(SmartcardId::new) }
            }
            StoredItem::Smartcard { id, profile, card } => Self::Smartcard {
                id: SmartcardId::new(id),
                profile: profile.map(ProfileId::new),
                card: card.map(PhysicalCard::try_from).transpose()?,
            },
        })
    }
}

impl<'a> From<&'a PhysicalCard> for StoredPhysicalCard<'a> {
    fn from(PhysicalCard { serial_number, atr }: &'a PhysicalCard) -> Self {
        Self { serial_number: serial_number.as_str().into(), atr: atr.as_str().into() }
    }
}

impl TryFrom<StoredPhysicalCard<'_>> for PhysicalCard {
    type Error = Malformed;

    fn try_from(StoredPhysicalCard { serial_number, atr }: StoredPhysicalCard<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            serial_number: SerialNumber::try_from(serial_number.into_owned())?,
            atr: Atr::try_from(atr.into_owned())?,
        })
    }
}

fn stored_lineage(lineage: Lineage) -> Option<StoredLineage> {
    match lineage {
        Lineage::First => None,
        Lineage::Replaces(ids) => Some(StoredLineage::Replaces(ids.into())),
        Lineage::Duplicates(ids) => Some(StoredLineage::Duplicates(ids.into())),
        Lineage::StandsInFor(ids) => Some(StoredLineage::StandsInFor(ids.into())),
    }
}

impl From<StoredLineage> for Lineage {
    fn from(stored: StoredLineage) -> Self {
        match stored {
            StoredLineage::Replaces(ids) => Self::Replaces(ids.into()),
            StoredLineage::Duplicates(ids) => Self::Duplicates(ids.into()),
            StoredLineage::StandsInFor(ids) => Self::StandsInFor(ids.into()),
        }
    }
}

impl From<CredentialIds> for StoredCredentialIds {
    fn from(CredentialIds { profile, smartcard }: CredentialIds) -> Self {
        Self { profile: profile.map(ProfileId::uuid), smartcard: smartcard.map(SmartcardId::uuid) }
    }
}

impl From<StoredCredentialIds> for CredentialIds {
    fn from(StoredCredentialIds { profile, smartcard }: StoredCredentialIds) -> Self {
        Self { profile: profile.map(ProfileId::new), smartcard: smartcard.map(SmartcardId::new) }
    }
}
