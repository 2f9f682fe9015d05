//! The profiles and cards that a decision needs. The store locks exactly these and a decision sees no others, so it does not
//! depend on the other commands of its batch.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::domain::{Action, Command, Credential, CredentialIds, Credentials, Request, SerialNumber, SmartcardId};

/// The profiles and cards that decisions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet {
    /// Profiles and cards by their ids.
    pub ids: BTreeSet<Uuid>,
    /// Cards in use by serial number.
    pub serial_numbers: BTreeSet<SerialNumber>,
    /// Cards whose profiles are needed: the valid one, and the one that the card names.
    pub cards: BTreeSet<SmartcardId>,
}

/// The profiles and cards that the decision of a command needs.
#[must_use]
pub fn lock_set(command: &Command, current: Option<&Request>) -> LockSet {
    let of_request = || current.map_or([CredentialIds::NONE; 2], |request| [request.old, request.new]);
    match &command.action {
        Action::Create(creation) => LockSet::by_ids([creation.draft.old]),
        Action::Approve { .. } | Action::Deny { .. } | Action::Start { .. } => LockSet::default(),
        Action::BindSmartcard { card, .. } => {
            LockSet { serial_numbers: BTreeSet::from([card.serial_number.clone()]), ..LockSet::by_ids(of_request()) }
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
pub fn import_lock_set(imported: &[Credential]) -> LockSet {
    let mut wanted = LockSet::with_profiles(imported.iter().map(Credential::credential_ids));
    wanted.serial_numbers =
        imported.iter().filter_map(Credential::card).map(|card| card.serial_number.clone()).collect();
    wanted
}

impl LockSet {
    fn by_ids(credential_ids: impl IntoIterator<Item = CredentialIds>) -> Self {
        let ids = credential_ids.into_iter().flat_map(|credential_ids| credential_ids.ids()).collect();
        Self { ids, ..Self::default() }
    }

    fn with_profiles(credential_ids: impl IntoIterator<Item = CredentialIds> + Clone) -> Self {
        let cards = credential_ids.clone().into_iter().filter_map(|credential_ids| credential_ids.smartcard).collect();
        Self { cards, ..Self::by_ids(credential_ids) }
    }

    /// Adds the needs of another decision.
    pub fn extend(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.serial_numbers.extend(other.serial_numbers);
        self.cards.extend(other.cards);
    }

    /// Whether no profile or card is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.serial_numbers.is_empty() && self.cards.is_empty()
    }

    /// The subset of `known` that a decision with these needs sees.
    #[must_use]
    pub fn within(&self, known: &Credentials) -> Credentials {
        let by_id = self.ids.iter().filter_map(|id| known.get(*id));
        let by_serial_number = self.serial_numbers.iter().filter_map(|serial_number| known.card_in_use(serial_number));
        let named = |card: &SmartcardId| known.get(card.uuid())?.credential_ids().profile;
        let by_card = self.cards.iter().flat_map(|card| {
            let named = named(card).and_then(|profile| known.get(profile.uuid()));
            known.valid_profile_on(*card).into_iter().chain(named)
        });
        by_id.chain(by_serial_number).chain(by_card).cloned().collect()
    }
}
