//! The profiles and smart cards that a decision sees.

use std::collections::HashMap;

use uuid::Uuid;

use super::{CardId, Credential, Subject};
use crate::domain::SmartcardId;

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
