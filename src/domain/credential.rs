//! Profiles and smart cards: what requests make and work on.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ProfileId, SmartcardId, TemplateId, UserId};

/// A profile and the smart card that holds it; a software profile has no card. Both absent: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Whether nothing that is said of `other` contradicts `self`.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let profile = other.profile.is_none() || self.profile == other.profile;
        let smartcard = other.smartcard.is_none() || self.smartcard == other.smartcard;
        profile && smartcard
    }
}

/// A profile or card that the service knows, so that a request can name it instead of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its ids; at least one of them is there.
    pub credential: Credential,
    /// Who holds it.
    pub owner: UserId,
    /// Template from which it was issued.
    pub template: TemplateId,
}
