//! Binding a smart card to a request and changing its status.

use super::{fresh, taken};
use crate::domain::{
    Card, CredentialEffect, Item, Medium, Refusal, Request, RequestType, SmartcardId, Standing, Subject, Subjects,
};

/// The result of binding a card.
pub(in crate::domain) struct Bound {
    /// Its id.
    pub(in crate::domain) id: SmartcardId,
    /// The card, if binding created or changed it.
    pub(in crate::domain) subject: Option<Subject>,
}

/// Binds a card to a request; `None` if it is already bound. An unknown card gets `id`.
pub(in crate::domain) fn bind(
    current: &Request,
    card: &Card,
    id: SmartcardId,
    known: &Subjects,
) -> Result<Option<Bound>, Refusal> {
    if current.medium == Medium::Software {
        return Err(Refusal::invalid("id", "names a request for a software profile, which has no smart card"));
    }
    let bound = current.new.smartcard.and_then(|id| Some((id, known.get(id.uuid())?)));
    if let Some((bound, subject)) = bound
        && subject.standing != Standing::Retired
    {
        return match subject.card() {
            Some(its) if its.card_id == card.card_id => Ok(None),
            Some(_) => Err(Refusal::OtherCardBound(bound)),
            None => identified(current, card, bound, subject, known).map(Some),
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
    card: &Card,
    id: SmartcardId,
    subject: &Subject,
    known: &Subjects,
) -> Result<Bound, Refusal> {
    if subject.owner != current.target {
        return Err(taken("id"));
    }
    if known.card_in_use(&card.card_id).is_some() {
        return Err(Refusal::CardInUse(card.card_id.clone()));
    }
    let item = Item::Smartcard { id, profile: subject.credential().profile, card: Some(card.clone()) };
    Ok(Bound { id, subject: Some(Subject { item, ..subject.clone() }) })
}

/// Assigns a card to the request: an unused one or, to renew or recover, the one it concerns.
fn assigned(current: &Request, card: &Card, id: SmartcardId, known: &Subjects) -> Result<Bound, Refusal> {
    let Some(known_card) = known.card_in_use(&card.card_id) else {
        let item = Item::Smartcard { id, profile: None, card: Some(card.clone()) };
        return Ok(Bound { id, subject: Some(Subject { standing: Standing::Assigned, ..fresh(current, item) }) });
    };
    let its_own = known_card.credential().smartcard.filter(|_| known_card.owner == current.target);
    let is_renewed = matches!(current.kind, RequestType::Renew | RequestType::Recover);
    match its_own {
        Some(id) if is_renewed && current.old.smartcard == Some(id) => Ok(Bound { id, subject: None }),
        Some(id) if known_card.standing == Standing::New => {
            let assigned = Subject { standing: Standing::Assigned, template: current.template, ..known_card.clone() };
            Ok(Bound { id, subject: Some(assigned) })
        }
        _ => Err(Refusal::CardInUse(card.card_id.clone())),
    }
}

/// Changes the status of a card of the request and of its profiles: the valid one, and the one that the card names.
/// Empty if the card already has the status.
pub(in crate::domain) fn change(
    current: &Request,
    id: SmartcardId,
    standing: Standing,
    known: &Subjects,
) -> Result<Vec<Subject>, Refusal> {
    let is_its_own = [current.new.smartcard, current.old.smartcard].contains(&Some(id));
    let card = known.get(id.uuid()).filter(|_| is_its_own).ok_or(Refusal::NotItsSmartcard(id))?;
    if card.owner != current.target {
        return Err(taken("smartcard"));
    }
    if card.standing == standing {
        return Ok(Vec::new());
    }
    if !card.standing.may_become(standing) {
        return Err(Refusal::IllegalStanding { from: card.standing, to: standing });
    }
    let valid = known.valid_profile_on(id);
    let named = card.credential().profile.and_then(|profile| known.get(profile.uuid()));
    // A profile renewed on another card is no longer on this one.
    let named = named.filter(|profile| profile.holder() == Some(id));
    let named = named.filter(|profile| valid.is_none_or(|valid| valid.id() != profile.id()));
    let follows = |profile: &&Subject| profile.owner == card.owner && profile.standing.may_become(standing);
    let profiles = [valid, named].into_iter().flatten().filter(follows);
    Ok([card].into_iter().chain(profiles).map(|subject| Subject { standing, ..subject.clone() }).collect())
}
