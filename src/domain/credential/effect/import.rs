//! Imports of profiles and cards by administrators, checked by their outcome as a whole.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem::discriminant;

use uuid::Uuid;

use super::taken;
use crate::domain::{Credential, CredentialStatus, Credentials, Refusal};

/// What is known after an import. The order of the imported profiles and cards does not matter, except that the last of those
/// with the same id counts; `known` holds what [`super::import_lock_set`] names.
///
/// # Errors
/// [`Refusal::CredentialTaken`] if something is another user's or of the other variety, [`Refusal::CardInUse`] if two cards in
/// use would have the same serial number, [`Refusal::IllegalCredentialStatus`] if something would come back from retirement,
/// [`Refusal::ProfileOnRetiredCard`] if a valid profile would be on a retired card. Fields begin with the index in `imported`.
pub fn import(imported: &[Credential], known: &Credentials) -> Result<Credentials, Refusal> {
    let mut last: HashMap<Uuid, usize> = HashMap::new();
    for (index, credential) in imported.iter().enumerate() {
        let before = last.insert(credential.id(), index).map(|earlier| &imported[earlier]);
        replaces(credential, before.or_else(|| known.get(credential.id())), index)?;
    }
    let imported =
        || imported.iter().enumerate().filter(|(index, credential)| last.get(&credential.id()) == Some(index));
    let kept = || known.all().filter(|credential| !last.contains_key(&credential.id()));
    let after: Credentials = kept().chain(imported().map(|(_, credential)| credential)).cloned().collect();

    let mut cards =
        Holders::new(kept().filter_map(|credential| Some((credential.serial_number_in_use()?, credential.id()))));
    let mut profiles = Holders::new(kept().filter_map(|credential| Some((credential.valid_on()?, credential.id()))));
    for (index, credential) in imported() {
        if let Some(serial_number) = credential.serial_number_in_use()
            && cards.is_held(serial_number, credential.id())
        {
            return Err(Refusal::CardInUse(serial_number.clone()));
        }
        if let Some(card) = credential.valid_on() {
            let field = || format!("credentials[{index}].profile.smartcard");
            if profiles.is_held(card, credential.id()) {
                return Err(taken(&field()));
            }
            if let Some(card) = after.get(card.uuid()) {
                agree(credential, card, field)?;
            }
        }
        if let Some(profile) = credential.credential_ids().smartcard.and_then(|card| after.valid_profile_on(card))
            && credential.is_smartcard()
        {
            agree(profile, credential, || format!("credentials[{index}].smartcard"))?;
        }
    }
    Ok(after)
}

/// Checks that a valid profile may be on a card.
fn agree(profile: &Credential, card: &Credential, field: impl Fn() -> String) -> Result<(), Refusal> {
    if !card.is_smartcard() || profile.owner != card.owner {
        return Err(taken(&field()));
    }
    if card.status == CredentialStatus::Retired {
        return Err(Refusal::ProfileOnRetiredCard { field: field(), profile: profile.id() });
    }
    Ok(())
}

/// Checks that an imported credential may overwrite the stored one.
fn replaces(imported: &Credential, before: Option<&Credential>, index: usize) -> Result<(), Refusal> {
    let Some(before) = before else { return Ok(()) };
    if before.owner != imported.owner || discriminant(&before.item) != discriminant(&imported.item) {
        return Err(taken(&format!("credentials[{index}].id")));
    }
    if before.status == CredentialStatus::Retired && imported.status != CredentialStatus::Retired {
        return Err(Refusal::IllegalCredentialStatus { from: CredentialStatus::Retired, to: imported.status });
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
