//! The profiles and cards that a decision needs. The store locks exactly these and a decision sees no others, so it does not
//! depend on the other commands of its batch.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::domain::{Action, CardId, Command, Credential, Request, SmartcardId, Subject, Subjects};

/// The profiles and cards that decisions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet {
    /// Profiles and cards by their ids.
    pub ids: BTreeSet<Uuid>,
    /// Cards in use by card id.
    pub card_ids: BTreeSet<CardId>,
    /// Cards whose profiles are needed: the valid one, and the one that the card names.
    pub cards: BTreeSet<SmartcardId>,
}

/// The profiles and cards that the decision of a command needs.
#[must_use]
pub fn lock_set(command: &Command, current: Option<&Request>) -> LockSet {
    let of_request = || current.map_or([Credential::NONE; 2], |request| [request.old, request.new]);
    match &command.action {
        Action::Create(creation) => LockSet::by_ids([creation.draft.old]),
        Action::Approve { .. } | Action::Deny { .. } | Action::Start { .. } => LockSet::default(),
        Action::BindSmartcard { card, .. } => {
            LockSet { card_ids: BTreeSet::from([card.card_id.clone()]), ..LockSet::by_ids(of_request()) }
        }
        Action::Complete { new, .. } => {
            let [old, made] = of_request();
            LockSet::with_profiles([old, made, *new])
        }
        Action::ChangeSmartcard { .. } | Action::Fail { .. } | Action::Cancel { .. } | Action::Abandon { .. } => {
            LockSet::with_profiles(of_request())
        }
    }
}

/// The profiles and cards that an import needs.
#[must_use]
pub fn import_lock_set(told: &[Subject]) -> LockSet {
    let mut wanted = LockSet::with_profiles(told.iter().map(Subject::credential));
    wanted.card_ids = told.iter().filter_map(Subject::card).map(|card| card.card_id.clone()).collect();
    wanted
}

impl LockSet {
    fn by_ids(credentials: impl IntoIterator<Item = Credential>) -> Self {
        let ids = credentials.into_iter().flat_map(|credential| credential.ids()).collect();
        Self { ids, ..Self::default() }
    }

    fn with_profiles(credentials: impl IntoIterator<Item = Credential> + Clone) -> Self {
        let cards = credentials.clone().into_iter().filter_map(|credential| credential.smartcard).collect();
        Self { cards, ..Self::by_ids(credentials) }
    }

    /// Adds the needs of another decision.
    pub fn extend(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.card_ids.extend(other.card_ids);
        self.cards.extend(other.cards);
    }

    /// Whether no profile or card is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.card_ids.is_empty() && self.cards.is_empty()
    }

    /// The subset of `known` that a decision with these needs sees.
    #[must_use]
    pub fn within(&self, known: &Subjects) -> Subjects {
        let by_id = self.ids.iter().filter_map(|id| known.get(*id));
        let by_card_id = self.card_ids.iter().filter_map(|card_id| known.card_in_use(card_id));
        let named = |card: &SmartcardId| known.get(card.uuid())?.credential().profile;
        let by_card = self.cards.iter().flat_map(|card| {
            let named = named(card).and_then(|profile| known.get(profile.uuid()));
            known.valid_profile_on(*card).into_iter().chain(named)
        });
        by_id.chain(by_card_id).chain(by_card).cloned().collect()
    }
}
