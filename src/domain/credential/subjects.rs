//! The profiles and smart cards that a decision sees.

use std::collections::HashMap;

use uuid::Uuid;

use super::{CardId, Credential, Subject};
use crate::domain::SmartcardId;

/// The profiles and cards that a decision may depend on, indexed by id, card id and card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    by_id: HashMap<Uuid, Subject>,
    cards_in_use: HashMap<CardId, Uuid>,
    valid_profiles: HashMap<SmartcardId, Uuid>,
}

impl Subjects {
    /// The profile or card with this id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Subject> {
        self.by_id.get(&id)
    }

    /// All of them, unordered.
    pub fn all(&self) -> impl Iterator<Item = &Subject> {
        self.by_id.values()
    }

    /// The card with these ids, else the profile.
    #[must_use]
    pub fn of(&self, credential: Credential) -> Option<&Subject> {
        let smartcard = credential.smartcard.and_then(|id| self.get(id.uuid()));
        smartcard.or_else(|| credential.profile.and_then(|id| self.get(id.uuid())))
    }

    /// The card in use with this card id; at most one exists.
    #[must_use]
    pub fn card_in_use(&self, card_id: &CardId) -> Option<&Subject> {
        self.get(*self.cards_in_use.get(card_id)?)
    }

    /// The valid profile on this card; at most one exists.
    #[must_use]
    pub fn valid_profile_on(&self, card: SmartcardId) -> Option<&Subject> {
        self.get(*self.valid_profiles.get(&card)?)
    }

    /// Adds or replaces a profile or card.
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
