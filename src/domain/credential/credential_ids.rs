//! Ids of a profile and of the smart card that holds it.

use uuid::Uuid;

use crate::domain::{ProfileId, SmartcardId};

/// A profile and the smart card that holds it; a software profile has no card. Both ids may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CredentialIds {
    /// The profile.
    pub profile: Option<ProfileId>,
    /// The card.
    pub smartcard: Option<SmartcardId>,
}

impl CredentialIds {
    /// No profile and no card.
    pub const NONE: Self = Self { profile: None, smartcard: None };

    /// Whether there is neither a profile nor a card.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.profile.is_none() && self.smartcard.is_none()
    }

    /// The ids that are present.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> + use<> {
        let profile = self.profile.map(ProfileId::uuid);
        let smartcard = self.smartcard.map(SmartcardId::uuid);
        profile.into_iter().chain(smartcard)
    }

    /// Whether every id in `other` equals the one in `self`. An id that `self` lacks disagrees with any id.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let profile = other.profile.is_none() || self.profile == other.profile;
        let smartcard = other.smartcard.is_none() || self.smartcard == other.smartcard;
        profile && smartcard
    }

    /// These ids, with those of `other` where they are absent.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { profile: self.profile.or(other.profile), smartcard: self.smartcard.or(other.smartcard) }
    }
}
