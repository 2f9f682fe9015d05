//! Binding a smart card to a request and changing its status.

use super::{fresh, taken};
use crate::domain::{
    Credential, CredentialEffect, CredentialStatus, Credentials, Item, Medium, PhysicalCard, Refusal, Request,
    RequestType, SmartcardId,
};

/// The result of binding a card.
pub(in crate::domain) struct Bound {
    /// Its id.
    pub(in crate::domain) id: SmartcardId,
    /// The card, if binding created or changed it.
    pub(in crate::domain) credential: Option<Credential>,
}

/// Binds a card to a request; `None` if it is already bound. An unknown card gets `id`.
pub(in crate::domain) fn bind(
    current: &Request,
    card: &PhysicalCard,
    id: SmartcardId,
    known: &Credentials,
) -> Result<Option<Bound>, Refusal> {
    if current.medium == Medium::Software {
        return Err(Refusal::invalid("id", "names a request for a software profile, which has no smart card"));
    }
    let bound = current.new.smartcard.and_then(|id| Some((id, known.get(id.uuid())?)));
    if let Some((bound, credential)) = bound
        && credential.status != CredentialStatus::Retired
    {
        return match credential.card() {
            Some(its) if its.serial_number == card.serial_number => Ok(None),
            Some(_) => Err(Refusal::OtherCardBound(bound)),
            None => identified(current, card, bound, credential, known).map(Some),
        };
    }
    match (current.kind.effect(), current.new.smartcard) {
        (CredentialEffect::Keeps, _) => Err(Refusal::invalid("id", "names a request that keeps an unknown smart card")),
        (CredentialEffect::Makes | CredentialEffect::Replaces, _) => assigned(current, card, id, known).map(Some),
    }
}

/// Records the physical details of a card known only by its id.
fn identified(
    current: &Request,
    card: &PhysicalCard,
    id: SmartcardId,
    credential: &Credential,
    known: &Credentials,
) -> Result<Bound, Refusal> {
    if credential.owner != current.target {
        return Err(taken("id"));
    }
    if known.card_in_use(&card.serial_number).is_some() {
        return Err(Refusal::CardInUse(card.serial_number.clone()));
    }
    let item = Item::Smartcard { id, profile: credential.credential_ids().profile, card: Some(card.clone()) };
    Ok(Bound { id, credential: Some(Credential { item, ..credential.clone() }) })
}

/// Assigns a card to the request: an unused one or, to renew or recover, the one it concerns.
fn assigned(current: &Request, card: &PhysicalCard, id: SmartcardId, known: &Credentials) -> Result<Bound, Refusal> {
    let Some(known_card) = known.card_in_use(&card.serial_number) else {
        let item = Item::Smartcard { id, profile: None, card: Some(card.clone()) };
        return Ok(Bound {
            id,
            credential: Some(Credential { status: CredentialStatus::Assigned, ..fresh(current, item) }),
        });
    };
    let its_own = known_card.credential_ids().smartcard.filter(|_| known_card.owner == current.target);
    let is_renewed = matches!(current.kind, RequestType::Renew | RequestType::Recover);
    match its_own {
        Some(id) if is_renewed && current.old.smartcard == Some(id) => Ok(Bound { id, credential: None }),
        Some(id) if known_card.status == CredentialStatus::New => {
            let assigned =
                Credential { status: CredentialStatus::Assigned, template: current.template, ..known_card.clone() };
            Ok(Bound { id, credential: Some(assigned) })
        }
        _ => Err(Refusal::CardInUse(card.serial_number.clone())),
    }
}

/// Changes the status of a card of the request and of its profiles: the valid one, and the one that the card names.
/// Empty if the card already has the status.
pub(in crate::domain) fn change(
    current: &Request,
    id: SmartcardId,
    status: CredentialStatus,
    known: &Credentials,
) -> Result<Vec<Credential>, Refusal> {
    let is_its_own = [current.new.smartcard, current.old.smartcard].contains(&Some(id));
    let card = known.get(id.uuid()).filter(|_| is_its_own).ok_or(Refusal::NotItsSmartcard(id))?;
    if card.owner != current.target {
        return Err(taken("smartcard"));
    }
    if card.status == status {
        return Ok(Vec::new());
    }
    if !card.status.may_become(status) {
        return Err(Refusal::IllegalCredentialStatus { from: card.status, to: status });
    }
    let valid = known.valid_profile_on(id);
    let named = card.credential_ids().profile.and_then(|profile| known.get(profile.uuid()));
    // A profile renewed on another card is no longer on this one.
    let named = named.filter(|profile| profile.holder() == Some(id));
    let named = named.filter(|profile| valid.is_none_or(|valid| valid.id() != profile.id()));
    let follows = |profile: &&Credential| profile.owner == card.owner && profile.status.may_become(status);
    let profiles = [valid, named].into_iter().flatten().filter(follows);
    Ok([card].into_iter().chain(profiles).map(|credential| Credential { status, ..credential.clone() }).collect())
}
