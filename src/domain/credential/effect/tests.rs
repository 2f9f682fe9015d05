//! What steps leave of profiles and cards, and that nobody gets hold of what is another user's.

mod walks;

use super::{completed, import};
use crate::domain::fixtures::{
    BOUND, CARD, OTHER_CARD, STRANGER, TARGET, action, card, command, holding, needing, request,
};
use crate::domain::{
    Credential, CredentialIds, CredentialStatus, Credentials, Item, Lineage, Medium, Refusal, Request, RequestType,
    SmartcardId, Status, decide,
};

fn known(credentials: Vec<Credential>) -> Credentials {
    credentials.into_iter().collect()
}

fn about(kind: RequestType, old: CredentialIds) -> Request {
    Request { kind, old, ..request(Status::Executing, needing(0)) }
}

fn taken(field: &str) -> Refusal {
    Refusal::CredentialTaken { field: field.to_owned() }
}

/// The statuses of what a completion changed, by the name of what it is.
fn statuses(left: &[Credential]) -> Vec<(bool, CredentialStatus)> {
    left.iter().map(|credential| (credential.is_smartcard(), credential.status)).collect()
}

#[test]
fn what_is_replaced_is_disabled_and_named_by_its_successor() {
    for kind in [RequestType::Renew, RequestType::Recover] {
        let before = known(holding(TARGET, CARD, CredentialStatus::Active));
        let left = completed(&about(kind, CARD), OTHER_CARD, &before).unwrap();
        let expected = [
            (true, CredentialStatus::Active),
            (false, CredentialStatus::Active),
            (false, CredentialStatus::Disabled),
            (true, CredentialStatus::Disabled),
        ];
        assert_eq!(statuses(&left), expected, "{}", kind.name());
        assert_eq!(left[0].lineage, Lineage::Replaces(CARD));
    }
}

#[test]
fn a_copy_leaves_what_it_was_made_of_as_it_is() {
    for kind in [RequestType::Duplicate, RequestType::RecoverOnBehalf] {
        let before = known(holding(TARGET, CARD, CredentialStatus::Active));
        let left = completed(&about(kind, CARD), OTHER_CARD, &before).unwrap();
        assert_eq!(statuses(&left), [(true, CredentialStatus::Active), (false, CredentialStatus::Active)]);
        assert_eq!(left[0].lineage, Lineage::Duplicates(CARD));
    }
}

#[test]
fn a_profile_is_renewed_on_the_card_that_holds_it() {
    let before = known(holding(TARGET, CARD, CredentialStatus::Active));
    let new = CredentialIds { smartcard: CARD.smartcard, ..OTHER_CARD };
    let left = completed(&about(RequestType::Renew, CARD), new, &before).unwrap();
    assert_eq!(left[0].credential_ids(), new, "the card holds the new profile");
    assert_eq!(
        statuses(&left),
        [(true, CredentialStatus::Active), (false, CredentialStatus::Active), (false, CredentialStatus::Disabled)]
    );
}

#[test]
fn a_request_leaves_nothing_that_is_in_use() {
    for owner in [TARGET, STRANGER] {
        let before = known(holding(owner, OTHER_CARD, CredentialStatus::Retired));
        for kind in [RequestType::Enroll, RequestType::Renew, RequestType::Duplicate] {
            let old = if kind == RequestType::Enroll { CredentialIds::NONE } else { CARD };
            let refusal = completed(&about(kind, old), OTHER_CARD, &before).unwrap_err();
            assert_eq!(refusal, taken("new_credential.smartcard"), "{}", kind.name());
            let profile = CredentialIds { smartcard: None, ..OTHER_CARD };
            let refusal = completed(&about(kind, old), profile, &before).unwrap_err();
            assert_eq!(refusal, taken("new_credential.profile"), "{}", kind.name());
        }
    }
}

/// It became known as another user's while the request was on its way.
#[test]
fn a_request_about_what_is_another_users_is_not_completed() {
    let before = known(holding(STRANGER, CARD, CredentialStatus::Active));
    for (kind, new) in [
        (RequestType::Retire, CARD),
        (RequestType::Unblock, CARD),
        (RequestType::Renew, OTHER_CARD),
        (RequestType::Renew, CARD),
    ] {
        let refusal = completed(&about(kind, CARD), new, &before).unwrap_err();
        let field =
            if new == CARD && kind == RequestType::Renew { "new_credential.smartcard" } else { "old_credential" };
        assert_eq!(refusal, taken(field), "{}", kind.name());
    }
}

#[test]
fn the_id_of_a_profile_is_not_taken_for_that_of_a_card() {
    let id = OTHER_CARD.smartcard.unwrap().uuid();
    let before = known(holding(
        TARGET,
        CredentialIds { profile: Some(crate::domain::ProfileId::new(id)), smartcard: None },
        CredentialStatus::Active,
    ));
    let new = CredentialIds { profile: None, smartcard: Some(SmartcardId::new(id)) };
    let refusal = completed(&about(RequestType::Renew, CARD), new, &before).unwrap_err();
    assert_eq!(refusal, taken("new_credential.smartcard"));
}

#[test]
fn a_card_is_bound_to_a_request_about_cards_alone() {
    let software = Request { medium: Medium::Software, ..request(Status::Approved, needing(0)) };
    let refusal = decide(&command(TARGET, action("bind")), Some(&software), &Credentials::default()).unwrap_err();
    assert_eq!(refusal, Refusal::invalid("id", "names a request for a software profile, which has no smart card"));
}

#[test]
fn a_card_that_somebody_uses_is_bound_to_no_request() {
    for owner in [TARGET, STRANGER] {
        for status in CredentialStatus::ALL {
            let mut theirs = holding(owner, CARD, status).remove(0);
            theirs.item = Item::Smartcard {
                id: CARD.smartcard.unwrap(),
                profile: None,
                card: Some(card("bc88f13f-83ba-4037-8262-46eba1291c6e")),
            };
            let before = known(vec![theirs]);
            let current = request(Status::Approved, needing(0));
            let decided = decide(&command(TARGET, action("bind")), Some(&current), &before);
            let expected = match (status, owner) {
                (CredentialStatus::Retired, _) => Some(BOUND),
                (CredentialStatus::New, TARGET) => CARD.smartcard,
                _ => None,
            };
            let bound = decided.ok().flatten().and_then(|event| event.request.new.smartcard);
            assert_eq!(bound, expected, "{owner}: {}", status.name());
        }
    }
}

#[test]
fn a_card_that_is_renewed_may_be_its_own_successor() {
    let mut own = holding(TARGET, CARD, CredentialStatus::Active).remove(0);
    let thing = card("bc88f13f-83ba-4037-8262-46eba1291c6e");
    own.item = Item::Smartcard { id: CARD.smartcard.unwrap(), profile: CARD.profile, card: Some(thing) };
    let before = known(vec![own]);
    for (kind, bound) in [(RequestType::Renew, true), (RequestType::Recover, true), (RequestType::Duplicate, false)] {
        let decided = decide(&command(TARGET, action("bind")), Some(&about(kind, CARD)), &before);
        assert_eq!(decided.is_ok(), bound, "{}", kind.name());
    }
}

#[test]
fn a_request_that_is_not_completed_gives_back_the_card_that_was_bound_to_it() {
    let bound = CredentialIds { profile: None, smartcard: Some(BOUND) };
    for name in ["cancel", "abandon", "fail"] {
        let current = Request { new: bound, ..request(Status::Executing, needing(0)) };
        let given_back = |status| {
            let before = known(holding(TARGET, bound, status));
            decide(&command(TARGET, action(name)), Some(&current), &before).unwrap().unwrap().credentials
        };
        assert_eq!(statuses(&given_back(CredentialStatus::Assigned)), [(true, CredentialStatus::Retired)], "{name}");
        assert_eq!(given_back(CredentialStatus::Active), [], "{name}: a card in use stays so");
    }
}

#[test]
fn an_import_changes_no_owner_and_revives_nothing() {
    let card = || holding(TARGET, CARD, CredentialStatus::Active).remove(0);
    let before = known(vec![card()]);
    let import = |imported: Credential, known: &Credentials| import(&[imported], known).map(|_| ());
    assert_eq!(import(card(), &before), Ok(()));
    let suspended = Credential { status: CredentialStatus::Suspended, ..card() };
    assert_eq!(import(suspended, &before), Ok(()));
    let stolen = Credential { owner: STRANGER, ..card() };
    assert_eq!(import(stolen, &before), Err(taken("credentials[0].id")));
    let profile = Item::Profile { id: crate::domain::ProfileId::new(card().id()), smartcard: None };
    assert_eq!(import(Credential { item: profile, ..card() }, &before), Err(taken("credentials[0].id")));
    let retired = known(vec![Credential { status: CredentialStatus::Retired, ..card() }]);
    let refusal = Refusal::IllegalCredentialStatus { from: CredentialStatus::Retired, to: CredentialStatus::Active };
    assert_eq!(import(card(), &retired), Err(refusal));
}

/// Somebody retired the card after it was bound, or after its renewal was asked for.
#[test]
fn a_request_whose_card_was_retired_is_not_completed() {
    let retired = holding(TARGET, CredentialIds { profile: None, ..CARD }, CredentialStatus::Retired);
    let new = CredentialIds { smartcard: CARD.smartcard, ..OTHER_CARD };
    let bound = Request { new: CredentialIds { profile: None, ..CARD }, ..request(Status::Executing, needing(0)) };
    for current in [bound, about(RequestType::Renew, CARD)] {
        let refusal = completed(&current, new, &known(retired.clone())).unwrap_err();
        let expected =
            Refusal::IllegalCredentialStatus { from: CredentialStatus::Retired, to: CredentialStatus::Active };
        assert_eq!(refusal, expected, "{}", current.kind.name());
    }
}

/// The request was created when there was no profile on the card.
#[test]
fn a_retired_card_takes_along_the_profile_that_it_got_meanwhile() {
    let before = known(holding(TARGET, CARD, CredentialStatus::Active));
    let card = CredentialIds { profile: None, ..CARD };
    let left = completed(&about(RequestType::Retire, card), card, &before).unwrap();
    assert_eq!(statuses(&left), [(true, CredentialStatus::Retired), (false, CredentialStatus::Retired)]);
}
