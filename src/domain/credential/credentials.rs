//! The profiles and smart cards that a decision sees.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Credential, CredentialIds, SerialNumber};
use crate::domain::SmartcardId;

/// The profiles and cards that a decision may depend on, indexed by id, serial number and card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    by_id: HashMap<Uuid, Credential>,
    cards_in_use: HashMap<SerialNumber, Uuid>,
    valid_profiles: HashMap<SmartcardId, Uuid>,
}

impl Credentials {
    /// The profile or card with this id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Credential> {
        self.by_id.get(&id)
    }

    /// All of them, unordered.
    pub fn all(&self) -> impl Iterator<Item = &Credential> {
        self.by_id.values()
    }

    /// The card with these ids, else the profile.
    #[must_use]
    pub fn of(&self, credential_ids: CredentialIds) -> Option<&Credential> {
        let smartcard = credential_ids.smartcard.and_then(|id| self.get(id.uuid()));
        smartcard.or_else(|| credential_ids.profile.and_then(|id| self.get(id.uuid())))
    }

    /// The card in use with this serial number; at most one exists.
    #[must_use]
    pub fn card_in_use(&self, serial_number: &SerialNumber) -> Option<&Credential> {
        self.get(*self.cards_in_use.get(serial_number)?)
    }

    /// The valid profile on this card; at most one exists.
    #[must_use]
    pub fn valid_profile_on(&self, card: SmartcardId) -> Option<&Credential> {
        self.get(*self.valid_profiles.get(&card)?)
    }

    /// Adds or replaces a profile or card.
    pub fn put(&mut self, credential: Credential) {
        let id = credential.id();
        if let Some(before) = self.by_id.get(&id) {
            if let Some(serial_number) = before.serial_number_in_use()
                && self.cards_in_use.get(serial_number) == Some(&id)
            {
                self.cards_in_use.remove(serial_number);
            }
            if let Some(card) = before.valid_on()
                && self.valid_profiles.get(&card) == Some(&id)
            {
                self.valid_profiles.remove(&card);
            }
        }
        if let Some(serial_number) = credential.serial_number_in_use() {
            self.cards_in_use.insert(serial_number.clone(), id);
        }
        if let Some(card) = credential.valid_on() {
            self.valid_profiles.insert(card, id);
        }
        self.by_id.insert(id, credential);
    }
}

impl FromIterator<Credential> for Credentials {
    fn from_iter<I: IntoIterator<Item = Credential>>(credentials: I) -> Self {
        let mut all = Self::default();
        credentials.into_iter().for_each(|credential| all.put(credential));
        all
    }
}
