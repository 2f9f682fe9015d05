//! Imports: what administrators tell of profiles and cards, judged by what it leads to as a whole.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem::discriminant;

use uuid::Uuid;

use super::taken;
use crate::domain::{Refusal, Standing, Subject, Subjects};

/// What is known after an import. The order in which profiles and cards are told does not matter, except that of two that
/// have the same id the last counts; `known` holds what [`super::import_lock_set`] names.
///
/// # Errors
/// [`Refusal::CredentialTaken`] if something is another user's or of the other variety, [`Refusal::CardInUse`] if two cards in
/// use would have the same card id, [`Refusal::IllegalStanding`] if something would come back from retirement,
/// [`Refusal::ProfileOnRetiredCard`] if a valid profile would be on a retired card. Fields begin with the place in `told`.
pub fn import(told: &[Subject], known: &Subjects) -> Result<Subjects, Refusal> {
    let mut last: HashMap<Uuid, usize> = HashMap::new();
    for (index, subject) in told.iter().enumerate() {
        let before = last.insert(subject.id(), index).map(|earlier| &told[earlier]);
        replaces(subject, before.or_else(|| known.get(subject.id())), index)?;
    }
    let told = || told.iter().enumerate().filter(|(index, subject)| last.get(&subject.id()) == Some(index));
    let kept = || known.all().filter(|subject| !last.contains_key(&subject.id()));
    let after: Subjects = kept().chain(told().map(|(_, subject)| subject)).cloned().collect();

    let mut cards = Holders::new(kept().filter_map(|subject| Some((subject.card_id_in_use()?, subject.id()))));
    let mut profiles = Holders::new(kept().filter_map(|subject| Some((subject.valid_on()?, subject.id()))));
    for (index, subject) in told() {
        if let Some(card_id) = subject.card_id_in_use()
            && cards.is_held(card_id, subject.id())
        {
            return Err(Refusal::CardInUse(card_id.clone()));
        }
        if let Some(card) = subject.valid_on() {
            let field = || format!("subjects[{index}].profile.smartcard");
            if profiles.is_held(card, subject.id()) {
                return Err(taken(&field()));
            }
            if let Some(card) = after.get(card.uuid()) {
                agree(subject, card, field)?;
            }
        }
        if let Some(profile) = subject.credential().smartcard.and_then(|card| after.valid_profile_on(card))
            && subject.is_smartcard()
        {
            agree(profile, subject, || format!("subjects[{index}].smartcard"))?;
        }
    }
    Ok(after)
}

/// Checks that a valid profile may be on a card.
fn agree(profile: &Subject, card: &Subject, field: impl Fn() -> String) -> Result<(), Refusal> {
    if !card.is_smartcard() || profile.owner != card.owner {
        return Err(taken(&field()));
    }
    if card.standing == Standing::Retired {
        return Err(Refusal::ProfileOnRetiredCard { field: field(), profile: profile.id() });
    }
    Ok(())
}

/// Checks that an imported credential may overwrite the stored one.
fn replaces(told: &Subject, before: Option<&Subject>, index: usize) -> Result<(), Refusal> {
    let Some(before) = before else { return Ok(()) };
    if before.owner != told.owner || discriminant(&before.item) != discriminant(&told.item) {
        return Err(taken(&format!("subjects[{index}].id")));
    }
    if before.standing == Standing::Retired && told.standing != Standing::Retired {
        return Err(Refusal::IllegalStanding { from: Standing::Retired, to: told.standing });
    }
    Ok(())
}

/// Owners of exclusive places.
struct Holders<K>(HashMap<K, Uuid>);

impl<K: Eq + Hash> Holders<K> {
    fn new(held: impl Iterator<Item = (K, Uuid)>) -> Self {
        Self(held.collect())
    }

    /// Whether another id holds the key; otherwise assigns it to `id`.
    fn is_held(&mut self, key: K, id: Uuid) -> bool {
        *self.0.entry(key).or_insert(id) != id
    }
}
