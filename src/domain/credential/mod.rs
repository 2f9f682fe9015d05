//! Profiles and smart cards that the service knows, so that a request can name one instead of a template.

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
pub use effect::{MAX_CHANGED_SUBJECTS, Touched, import, touched, touched_by_import};
pub use physical_card::Card;
pub use serial_number::CardId;
pub use subjects::Subjects;

/// A profile or a smart card that the service knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which profile or card it is.
    pub item: Item,
    /// Who holds it; never changes.
    pub owner: UserId,
    /// Template from which it was issued, and its version then.
    pub template: TemplateRef,
    /// Where it stands.
    pub standing: Standing,
    /// What it came from.
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
        /// The card that holds it; a software profile has none.
        smartcard: Option<SmartcardId>,
    },
    /// A smart card.
    Smartcard {
        /// Its id.
        id: SmartcardId,
        /// The profile on it, once there is one.
        profile: Option<ProfileId>,
        /// The card as a thing, as far as it is known.
        card: Option<Card>,
    },
}

/// What a profile or card came from; the ids are those of the profile and card before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lineage {
    /// Nothing.
    #[default]
    First,
    /// It replaces these.
    Replaces(Credential),
    /// It is a second copy of these.
    Duplicates(Credential),
    /// It stands in for these for a while; for none in particular if there are none.
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

    /// The profile and the card that belong together, of which it is one.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        match &self.item {
            Item::Profile { id, smartcard } => Credential { profile: Some(*id), smartcard: *smartcard },
            Item::Smartcard { id, profile, .. } => Credential { profile: *profile, smartcard: Some(*id) },
        }
    }

    /// The id on the card, if it is a card in use of which that is known. No other card in use has it.
    #[must_use]
    pub fn card_id_in_use(&self) -> Option<&CardId> {
        self.card().filter(|_| self.standing != Standing::Retired).map(|card| &card.card_id)
    }

    /// The card that a profile is on, if it is a profile on one.
    #[must_use]
    pub const fn holder(&self) -> Option<SmartcardId> {
        match self.item {
            Item::Profile { smartcard, .. } => smartcard,
            Item::Smartcard { .. } => None,
        }
    }

    /// The card that a valid profile is on. No other valid profile is on it.
    #[must_use]
    pub const fn valid_on(&self) -> Option<SmartcardId> {
        if self.standing.is_valid() { self.holder() } else { None }
    }

    /// The card as a thing, if it is one and that much is known.
    #[must_use]
    pub const fn card(&self) -> Option<&Card> {
        match &self.item {
            Item::Profile { .. } => None,
            Item::Smartcard { card, .. } => card.as_ref(),
        }
    }
}
