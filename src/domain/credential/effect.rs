//! Effects of request steps on profiles and smart cards.
//!
//! A step cannot take over a credential of another user: each one it names is checked while it is locked. A retired card
//! never holds a valid profile, and a card holds at most one valid profile.

mod import;
mod lock_set;
mod smartcard;
#[cfg(test)]
mod tests;

use crate::domain::{
    Credential, CredentialEffect, CredentialIds, CredentialStatus, Credentials, Item, Lineage, ProfileId, Refusal,
    Request, RequestType, SmartcardId,
};

pub use import::import;
pub use lock_set::{LockSet, import_lock_set, lock_set};
pub(in crate::domain) use smartcard::{Bound, bind, change};

/// Maximum number of profiles and cards that one step changes: the card and profile of a completed request, the previous
/// profile on that card, the card and profile that the request concerns, and the profile now on the latter card.
pub const MAX_CHANGED_CREDENTIALS: usize = 6;

/// The credentials that completion changes. `current` is the request before, `new` the ids it keeps or issued.
pub(in crate::domain) fn completed(
    current: &Request,
    new: CredentialIds,
    known: &Credentials,
) -> Result<Vec<Credential>, Refusal> {
    let mut left = Vec::new();
    match current.kind.effect() {
        CredentialEffect::Keeps => {}
        CredentialEffect::Makes | CredentialEffect::Replaces => {
            left.extend(new.smartcard.map(|id| made_smartcard(current, id, new, known)).transpose()?);
            left.extend(new.profile.map(|id| made_profile(current, id, new, known)).transpose()?);
            left.extend(superseded(current, new, known)?);
        }
    }
    // Since the request was created, the card may have received another profile.
    let on_card = current.old.smartcard.and_then(|card| known.valid_profile_on(card)).map(Credential::id);
    let on_card = on_card.filter(|profile| current.old.ids().all(|id| id != *profile));
    for id in current.old.ids().chain(on_card) {
        let Some(credential) = known.get(id).filter(|_| left.iter().all(|made| made.id() != id)) else { continue };
        if credential.owner != current.target {
            return Err(taken("old_credential"));
        }
        let status = credential.status.after(current.kind);
        if status != credential.status {
            left.push(Credential { status, ..credential.clone() });
        }
    }
    Ok(left)
}

/// Disables the valid profile that a new one on the same card replaces.
fn superseded(current: &Request, new: CredentialIds, known: &Credentials) -> Result<Option<Credential>, Refusal> {
    let before = new.smartcard.and_then(|card| known.valid_profile_on(card));
    if before.is_some_and(|before| before.owner != current.target) {
        return Err(taken("new_credential.smartcard"));
    }
    let is_replaced = |before: &&Credential| new.profile.is_some_and(|profile| profile.uuid() != before.id());
    let before = before.filter(is_replaced);
    Ok(before.map(|before| Credential { status: CredentialStatus::Disabled, ..before.clone() }))
}

/// Retires the card bound to a request that ends without being completed: the card was never issued.
pub(in crate::domain) fn released(current: &Request, known: &Credentials) -> Vec<Credential> {
    let bound = current.new.smartcard.and_then(|id| known.get(id.uuid()));
    let Some(bound) = bound.filter(|card| card.status == CredentialStatus::Assigned && card.owner == current.target)
    else {
        return Vec::new();
    };
    let profile = bound.credential_ids().smartcard.and_then(|card| known.valid_profile_on(card));
    let retired = |credential: &Credential| Credential { status: CredentialStatus::Retired, ..credential.clone() };
    [Some(bound), profile].into_iter().flatten().map(retired).collect()
}

fn made_smartcard(
    current: &Request,
    id: SmartcardId,
    new: CredentialIds,
    known: &Credentials,
) -> Result<Credential, Refusal> {
    let Some(before) = known.get(id.uuid()) else {
        return Ok(fresh(current, Item::Smartcard { id, profile: new.profile, card: None }));
    };
    match &before.item {
        Item::Smartcard { profile, card, .. } if is_its_own(current, before, current.new.smartcard == Some(id)) => {
            let status = match before.status {
                CredentialStatus::New | CredentialStatus::Assigned => CredentialStatus::Active,
                // Another request retired it; this one needs another card.
                CredentialStatus::Retired => {
                    return Err(Refusal::IllegalCredentialStatus {
                        from: CredentialStatus::Retired,
                        to: CredentialStatus::Active,
                    });
                }
                status @ (CredentialStatus::Active | CredentialStatus::Disabled | CredentialStatus::Suspended) => {
                    status
                }
            };
            let item = Item::Smartcard { id, profile: new.profile.or(*profile), card: card.clone() };
            Ok(Credential { item, status, ..before.clone() })
        }
        Item::Smartcard { .. } | Item::Profile { .. } => Err(taken("new_credential.smartcard")),
    }
}

fn made_profile(
    current: &Request,
    id: ProfileId,
    new: CredentialIds,
    known: &Credentials,
) -> Result<Credential, Refusal> {
    let Some(before) = known.get(id.uuid()) else {
        return Ok(fresh(current, Item::Profile { id, smartcard: new.smartcard }));
    };
    match &before.item {
        Item::Profile { smartcard, .. } if is_its_own(current, before, false) => {
            let item = Item::Profile { id, smartcard: new.smartcard.or(*smartcard) };
            Ok(Credential { item, ..before.clone() })
        }
        Item::Profile { .. } | Item::Smartcard { .. } => Err(taken("new_credential.profile")),
    }
}

/// Whether a request may reuse a known credential: one bound to it, or one it renews or recovers in place.
fn is_its_own(current: &Request, before: &Credential, is_bound: bool) -> bool {
    let is_renewed = match current.kind {
        RequestType::Recover | RequestType::Renew => current.old.ids().any(|id| id == before.id()),
        _ => false,
    };
    before.owner == current.target && (is_bound || is_renewed)
}

fn fresh(current: &Request, item: Item) -> Credential {
    Credential {
        item,
        owner: current.target,
        template: current.template,
        status: CredentialStatus::Active,
        lineage: lineage(current),
        comment: crate::domain::Comment::default(),
    }
}

/// The lineage of what a request issues.
const fn lineage(request: &Request) -> Lineage {
    match request.kind {
        RequestType::Recover | RequestType::Renew => Lineage::Replaces(request.old),
        RequestType::Duplicate | RequestType::RecoverOnBehalf => Lineage::Duplicates(request.old),
        RequestType::TemporaryCardEnroll => Lineage::StandsInFor(request.old),
        RequestType::Enroll
        | RequestType::Disable
        | RequestType::Unblock
        | RequestType::Retire
        | RequestType::SuspendOrReinstate
        | RequestType::OnlineUpdate
        | RequestType::OfflineUnblock => Lineage::First,
    }
}

fn taken(field: &str) -> Refusal {
    Refusal::CredentialTaken { field: field.to_owned() }
}
