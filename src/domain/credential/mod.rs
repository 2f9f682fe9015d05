//! Credentials: the profiles and smart cards that the service tracks.

use uuid::Uuid;

use super::{Comment, ProfileId, SmartcardId, TemplateRef, UserId};

mod atr;
mod credential_ids;
mod credential_status;
pub(super) mod effect;
mod physical_card;
mod serial_number;
mod subjects;

pub use atr::Atr;
pub use credential_ids::Credential;
pub use credential_status::Standing;
pub use effect::{LockSet, MAX_CHANGED_SUBJECTS, import, import_lock_set, lock_set};
pub use physical_card::Card;
pub use serial_number::CardId;
pub use subjects::Subjects;

/// A profile or smart card that the service tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The profile or card itself.
    pub item: Item,
    /// The owner; never changes.
    pub owner: UserId,
    /// Template and template version at issuance.
    pub template: TemplateRef,
    /// Current status.
    pub standing: Standing,
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
        card: Option<Card>,
    },
}

/// The origin of a profile or card, with the ids of its predecessors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lineage {
    /// It has no predecessor.
    #[default]
    First,
    /// It replaces these.
    Replaces(Credential),
    /// It is a second copy of these.
    Duplicates(Credential),
    /// It temporarily stands in for these; without ids, for none in particular.
    StandsInFor(Credential),
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

impl Subject {
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
    pub const fn credential(&self) -> Credential {
        match &self.item {
            Item::Profile { id, smartcard } => Credential { profile: Some(*id), smartcard: *smartcard },
            Item::Smartcard { id, profile, .. } => Credential { profile: *profile, smartcard: Some(*id) },
        }
    }

    /// The card id of a card in use, if known. It is unique among cards in use.
    #[must_use]
    pub fn card_id_in_use(&self) -> Option<&CardId> {
        self.card().filter(|_| self.standing != Standing::Retired).map(|card| &card.card_id)
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
        if self.standing.is_valid() { self.holder() } else { None }
    }

    /// The physical card, if this is a card and its details are known.
    #[must_use]
    pub const fn card(&self) -> Option<&Card> {
        match &self.item {
            Item::Profile { .. } => None,
            Item::Smartcard { card, .. } => card.as_ref(),
        }
    }
}
