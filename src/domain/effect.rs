//! What steps of a request do to the profiles and smart cards that the service knows.
//!
//! Nobody gets hold of what is another user's: whatever a step names is compared with what is known of it while both are
//! locked. Which rows that are is told here as well.

mod smartcard;
#[cfg(test)]
mod tests;

use uuid::Uuid;

use super::{
    Action, CardId, Command, Credential, CredentialEffect, Item, Lineage, ProfileId, Refusal, Request, RequestType,
    SmartcardId, Standing, Subject, Subjects,
};

pub(super) use smartcard::{Bound, bind, change};

/// Most profiles and cards that one step changes: the card and profile of a completed request, the profile that was on that
/// card, the card and profile that the request was about, and the profile that is on the latter card by then.
pub const MAX_CHANGED_SUBJECTS: usize = 6;

/// What a command has to know: the profiles and cards with these ids, and the card with this id on it.
#[must_use]
pub fn touched<'a>(command: &'a Command, current: Option<&Request>) -> (Vec<Uuid>, Option<&'a CardId>) {
    let of_request = |request: &Request| request.old.ids().chain(request.new.ids()).collect::<Vec<_>>();
    let of_current = || current.map(of_request).unwrap_or_default();
    match &command.action {
        Action::Create(creation) => (creation.draft.old.ids().collect(), None),
        Action::Approve { .. } | Action::Deny { .. } | Action::Start { .. } => (Vec::new(), None),
        Action::BindSmartcard { card, .. } => (of_current(), Some(&card.card_id)),
        Action::Complete { new, .. } => (of_current().into_iter().chain(new.ids()).collect(), None),
        Action::ChangeSmartcard { .. } | Action::Fail { .. } | Action::Cancel { .. } | Action::Abandon { .. } => {
            (of_current(), None)
        }
    }
}

/// What a completed request leaves. `current` is the request before, `new` what it keeps or has made.
pub(super) fn completed(current: &Request, new: Credential, known: &Subjects) -> Result<Vec<Subject>, Refusal> {
    let mut left = Vec::new();
    match current.kind.effect() {
        CredentialEffect::Keeps => {}
        CredentialEffect::Makes | CredentialEffect::Replaces => {
            left.extend(new.smartcard.map(|id| made_smartcard(current, id, new, known)).transpose()?);
            left.extend(new.profile.map(|id| made_profile(current, id, new, known)).transpose()?);
        }
    }
    for id in current.old.ids() {
        let Some(subject) = known.get(id).filter(|_| left.iter().all(|made| made.id() != id)) else { continue };
        if subject.owner != current.target {
            return Err(taken("old_credential"));
        }
        let standing = subject.standing.after(current.kind);
        if standing != subject.standing {
            left.push(Subject { standing, ..subject.clone() });
        }
    }
    Ok(left)
}

/// What becomes of the card that was bound to a request which ends without being completed: it was never issued.
pub(super) fn released(current: &Request, known: &Subjects) -> Vec<Subject> {
    let bound = current.new.smartcard.and_then(|id| known.get(id.uuid()));
    let released = bound.filter(|subject| subject.standing == Standing::Assigned && subject.owner == current.target);
    released.map(|subject| Subject { standing: Standing::Retired, ..subject.clone() }).into_iter().collect()
}

/// Whether what is told of a profile or card can replace what is known; `field` is the path of what is told.
///
/// # Errors
/// [`Refusal::CredentialTaken`] if it is another user's, [`Refusal::CardInUse`] if another one has its card id,
/// [`Refusal::IllegalStanding`] if it is retired.
pub fn import(told: &Subject, known: &Subjects, field: &str) -> Result<(), Refusal> {
    let before = known.get(told.id());
    let is_other = |before: &Subject| {
        before.owner != told.owner || std::mem::discriminant(&before.item) != std::mem::discriminant(&told.item)
    };
    if before.is_some_and(is_other) {
        return Err(Refusal::CredentialTaken { field: format!("{field}.id") });
    }
    if before.is_some_and(|before| before.standing == Standing::Retired && told.standing != Standing::Retired) {
        return Err(Refusal::IllegalStanding { from: Standing::Retired, to: told.standing });
    }
    let in_use = told.card().and_then(|card| known.card_in_use(&card.card_id));
    match in_use {
        Some(other) if other.id() != told.id() && told.standing != Standing::Retired => {
            Err(told.card().map_or_else(|| taken(field), |card| Refusal::CardInUse(card.card_id.clone())))
        }
        _ => Ok(()),
    }
}

fn made_smartcard(current: &Request, id: SmartcardId, new: Credential, known: &Subjects) -> Result<Subject, Refusal> {
    let Some(before) = known.get(id.uuid()) else {
        return Ok(fresh(current, Item::Smartcard { id, profile: new.profile, card: None }));
    };
    match &before.item {
        Item::Smartcard { profile, card, .. } if is_its_own(current, before, current.new.smartcard == Some(id)) => {
            let standing = match before.standing {
                Standing::New | Standing::Assigned => Standing::Active,
                standing => standing,
            };
            let item = Item::Smartcard { id, profile: new.profile.or(*profile), card: card.clone() };
            Ok(Subject { item, standing, ..before.clone() })
        }
        Item::Smartcard { .. } | Item::Profile { .. } => Err(taken("new_credential.smartcard")),
    }
}

fn made_profile(current: &Request, id: ProfileId, new: Credential, known: &Subjects) -> Result<Subject, Refusal> {
    let Some(before) = known.get(id.uuid()) else {
        return Ok(fresh(current, Item::Profile { id, smartcard: new.smartcard }));
    };
    match &before.item {
        Item::Profile { smartcard, .. } if is_its_own(current, before, false) => {
            let item = Item::Profile { id, smartcard: new.smartcard.or(*smartcard) };
            Ok(Subject { item, ..before.clone() })
        }
        Item::Profile { .. } | Item::Smartcard { .. } => Err(taken("new_credential.profile")),
    }
}

/// Whether a request may leave what is known already: what is bound to it, and what it renews or recovers in place.
fn is_its_own(current: &Request, before: &Subject, is_bound: bool) -> bool {
    let is_renewed = match current.kind {
        RequestType::Recover | RequestType::Renew => current.old.ids().any(|id| id == before.id()),
        _ => false,
    };
    before.owner == current.target && (is_bound || is_renewed)
}

fn fresh(current: &Request, item: Item) -> Subject {
    Subject {
        item,
        owner: current.target,
        template: current.template,
        standing: Standing::Active,
        lineage: lineage(current),
        comment: super::Comment::default(),
    }
}

/// What the profile and card of a request come from.
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
