//! Ids of a profile and of the smart card that holds it: what a request is about, and what it produced.

use uuid::Uuid;

use crate::domain::{ProfileId, SmartcardId};

/// A profile and the smart card that holds it; a software profile has no card. Both absent: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// The profile.
    pub profile: Option<ProfileId>,
    /// The card.
    pub smartcard: Option<SmartcardId>,
}

impl Credential {
    /// No profile and no card.
    pub const NONE: Self = Self { profile: None, smartcard: None };

    /// Whether there is neither a profile nor a card.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.profile.is_none() && self.smartcard.is_none()
    }

    /// Its ids: one, both or none.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> + use<> {
        let profile = self.profile.map(ProfileId::uuid);
        let smartcard = self.smartcard.map(SmartcardId::uuid);
        profile.into_iter().chain(smartcard)
    }

    /// Whether nothing that is said of `other` contradicts `self`; what is not there can be contradicted by anything.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let profile = other.profile.is_none() || self.profile == other.profile;
        let smartcard = other.smartcard.is_none() || self.smartcard == other.smartcard;
        profile && smartcard
    }

    /// What is said here, completed by what is said in `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { profile: self.profile.or(other.profile), smartcard: self.smartcard.or(other.smartcard) }
    }
}
