//! Credentials: the profiles and smart cards that the service tracks.

use uuid::Uuid;

use super::{Comment, ProfileId, SmartcardId, TemplateRef, UserId};

mod atr;
mod credential_ids;
mod credential_status;
mod credentials;
pub(super) mod effect;
mod physical_card;
mod serial_number;

pub use atr::Atr;
pub use credential_ids::CredentialIds;
pub use credential_status::CredentialStatus;
pub use credentials::Credentials;
pub use effect::{LockSet, MAX_CHANGED_CREDENTIALS, import, import_lock_set, lock_set};
pub use physical_card::PhysicalCard;
pub use serial_number::SerialNumber;

/// A profile or smart card that the service tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The profile or card itself.
    pub item: Item,
    /// The owner; never changes.
    pub owner: UserId,
    /// Template and template version at issuance.
    pub template: TemplateRef,
    /// Current status.
    pub status: CredentialStatus,
    /// Origin.
    pub lineage: Lineage,
    /// Comment that describes it.
    pub comment: Comment,
}

/// A profile or a smart card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A profile.
    Profile {
        /// Its id.
        id: ProfileId,
        /// The card that holds it; `None` for a software profile.
        smartcard: Option<SmartcardId>,
    },
    /// A smart card.
    Smartcard {
        /// Its id.
        id: SmartcardId,
        /// The profile on it, if any.
        profile: Option<ProfileId>,
        /// The physical card, if known.
        card: Option<PhysicalCard>,
    },
}

/// The origin of a profile or card, with the ids of its predecessors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lineage {
    /// It has no predecessor.
    #[default]
    First,
    /// It replaces these.
    Replaces(CredentialIds),
    /// It is a second copy of these.
    Duplicates(CredentialIds),
    /// It temporarily stands in for these; without ids, for none in particular.
    StandsInFor(CredentialIds),
}

impl Item {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Profile { id, .. } => id.uuid(),
            Self::Smartcard { id, .. } => id.uuid(),
        }
    }
}

impl Credential {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.item.id()
    }

    /// Whether it is a smart card.
    #[must_use]
    pub const fn is_smartcard(&self) -> bool {
        match self.item {
            Item::Profile { .. } => false,
            Item::Smartcard { .. } => true,
        }
    }

    /// The ids of the profile and the card that belong together; this is one of them.
    #[must_use]
    pub const fn credential_ids(&self) -> CredentialIds {
        match &self.item {
            Item::Profile { id, smartcard } => CredentialIds { profile: Some(*id), smartcard: *smartcard },
            Item::Smartcard { id, profile, .. } => CredentialIds { profile: *profile, smartcard: Some(*id) },
        }
    }

    /// The serial number of a card in use, if known. It is unique among cards in use.
    #[must_use]
    pub fn serial_number_in_use(&self) -> Option<&SerialNumber> {
        self.card().filter(|_| self.status != CredentialStatus::Retired).map(|card| &card.serial_number)
    }

    /// The card that holds this profile.
    #[must_use]
    pub const fn holder(&self) -> Option<SmartcardId> {
        match self.item {
            Item::Profile { smartcard, .. } => smartcard,
            Item::Smartcard { .. } => None,
        }
    }

    /// The card that holds this profile, if the profile is valid. A card holds at most one valid profile.
    #[must_use]
    pub const fn valid_on(&self) -> Option<SmartcardId> {
        if self.status.is_valid() { self.holder() } else { None }
    }

    /// The physical card, if this is a card and its details are known.
    #[must_use]
    pub const fn card(&self) -> Option<&PhysicalCard> {
        match &self.item {
            Item::Profile { .. } => None,
            Item::Smartcard { card, .. } => card.as_ref(),
        }
    }
}
