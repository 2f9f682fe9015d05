//! Profiles and smart cards that the service knows, so that a request can name one instead of a template.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Card, CardId, Comment, Credential, ProfileId, SmartcardId, Standing, TemplateRef, UserId};

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

/// The profiles and cards that are known among those which a decision could concern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    by_id: HashMap<Uuid, Subject>,
    cards_in_use: HashMap<CardId, Uuid>,
    valid_profiles: HashMap<SmartcardId, Uuid>,
}

impl Subjects {
    /// What is known under an id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Subject> {
        self.by_id.get(&id)
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Subject> {
        self.by_id.values()
    }

    /// What is known of a profile and a card: of the card, else of the profile.
    #[must_use]
    pub fn of(&self, credential: Credential) -> Option<&Subject> {
        let smartcard = credential.smartcard.and_then(|id| self.get(id.uuid()));
        smartcard.or_else(|| credential.profile.and_then(|id| self.get(id.uuid())))
    }

    /// The card with this id on it that is not retired; there is at most one.
    #[must_use]
    pub fn card_in_use(&self, card_id: &CardId) -> Option<&Subject> {
        self.get(*self.cards_in_use.get(card_id)?)
    }

    /// The valid profile on this card; there is at most one.
    #[must_use]
    pub fn valid_profile_on(&self, card: SmartcardId) -> Option<&Subject> {
        self.get(*self.valid_profiles.get(&card)?)
    }

    /// Replaces what is known of something.
    pub fn put(&mut self, subject: Subject) {
        let id = subject.id();
        if let Some(before) = self.by_id.get(&id) {
            if let Some(card_id) = before.card_id_in_use()
                && self.cards_in_use.get(card_id) == Some(&id)
            {
                self.cards_in_use.remove(card_id);
            }
            if let Some(card) = before.valid_on()
                && self.valid_profiles.get(&card) == Some(&id)
            {
                self.valid_profiles.remove(&card);
            }
        }
        if let Some(card_id) = subject.card_id_in_use() {
            self.cards_in_use.insert(card_id.clone(), id);
        }
        if let Some(card) = subject.valid_on() {
            self.valid_profiles.insert(card, id);
        }
        self.by_id.insert(id, subject);
    }
}

impl FromIterator<Subject> for Subjects {
    fn from_iter<I: IntoIterator<Item = Subject>>(subjects: I) -> Self {
        let mut all = Self::default();
        subjects.into_iter().for_each(|subject| all.put(subject));
        all
    }
}
