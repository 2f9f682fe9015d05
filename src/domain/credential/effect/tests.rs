//! What steps leave of profiles and cards, and that nobody gets hold of what is another user's.

mod walks;

use super::{completed, import};
use crate::domain::fixtures::{
    BOUND, CARD, OTHER_CARD, STRANGER, TARGET, action, card, command, holding, needing, request,
};
use crate::domain::{
    Credential, Item, Lineage, Medium, Refusal, Request, RequestType, SmartcardId, Standing, Status, Subject, Subjects,
    decide,
};

fn known(subjects: Vec<Subject>) -> Subjects {
    subjects.into_iter().collect()
}

fn about(kind: RequestType, old: Credential) -> Request {
    Request { kind, old, ..request(Status::Executing, needing(0)) }
}

fn taken(field: &str) -> Refusal {
    Refusal::CredentialTaken { field: field.to_owned() }
}

/// The standings of what a completion changed, by the name of what it is.
fn standings(left: &[Subject]) -> Vec<(bool, Standing)> {
    left.iter().map(|subject| (subject.is_smartcard(), subject.standing)).collect()
}

#[test]
fn what_is_replaced_is_disabled_and_named_by_its_successor() {
    for kind in [RequestType::Renew, RequestType::Recover] {
        let before = known(holding(TARGET, CARD, Standing::Active));
        let left = completed(&about(kind, CARD), OTHER_CARD, &before).unwrap();
        let expected = [
            (true, Standing::Active),
            (false, Standing::Active),
            (false, Standing::Disabled),
            (true, Standing::Disabled),
        ];
        assert_eq!(standings(&left), expected, "{}", kind.name());
        assert_eq!(left[0].lineage, Lineage::Replaces(CARD));
    }
}

#[test]
fn a_copy_leaves_what_it_was_made_of_as_it_is() {
    for kind in [RequestType::Duplicate, RequestType::RecoverOnBehalf] {
        let before = known(holding(TARGET, CARD, Standing::Active));
        let left = completed(&about(kind, CARD), OTHER_CARD, &before).unwrap();
        assert_eq!(standings(&left), [(true, Standing::Active), (false, Standing::Active)]);
        assert_eq!(left[0].lineage, Lineage::Duplicates(CARD));
    }
}

#[test]
fn a_profile_is_renewed_on_the_card_that_holds_it() {
    let before = known(holding(TARGET, CARD, Standing::Active));
    let new = Credential { smartcard: CARD.smartcard, ..OTHER_CARD };
    let left = completed(&about(RequestType::Renew, CARD), new, &before).unwrap();
    assert_eq!(left[0].credential(), new, "the card holds the new profile");
    assert_eq!(standings(&left), [(true, Standing::Active), (false, Standing::Active), (false, Standing::Disabled)]);
}

#[test]
fn a_request_leaves_nothing_that_is_in_use() {
    for owner in [TARGET, STRANGER] {
        let before = known(holding(owner, OTHER_CARD, Standing::Retired));
        for kind in [RequestType::Enroll, RequestType::Renew, RequestType::Duplicate] {
            let old = if kind == RequestType::Enroll { Credential::NONE } else { CARD };
            let refusal = completed(&about(kind, old), OTHER_CARD, &before).unwrap_err();
            assert_eq!(refusal, taken("new_credential.smartcard"), "{}", kind.name());
            let profile = Credential { smartcard: None, ..OTHER_CARD };
            let refusal = completed(&about(kind, old), profile, &before).unwrap_err();
            assert_eq!(refusal, taken("new_credential.profile"), "{}", kind.name());
        }
    }
}

/// It became known as another user's while the request was on its way.
#[test]
fn a_request_about_what_is_another_users_is_not_completed() {
    let before = known(holding(STRANGER, CARD, Standing::Active));
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
        Credential { profile: Some(crate::domain::ProfileId::new(id)), smartcard: None },
        Standing::Active,
    ));
    let new = Credential { profile: None, smartcard: Some(SmartcardId::new(id)) };
    let refusal = completed(&about(RequestType::Renew, CARD), new, &before).unwrap_err();
    assert_eq!(refusal, taken("new_credential.smartcard"));
}

#[test]
fn a_card_is_bound_to_a_request_about_cards_alone() {
    let software = Request { medium: Medium::Software, ..request(Status::Approved, needing(0)) };
    let refusal = decide(&command(TARGET, action("bind")), Some(&software), &Subjects::default()).unwrap_err();
    assert_eq!(refusal, Refusal::invalid("id", "names a request for a software profile, which has no smart card"));
}

#[test]
fn a_card_that_somebody_uses_is_bound_to_no_request() {
    for owner in [TARGET, STRANGER] {
        for standing in Standing::ALL {
            let mut theirs = holding(owner, CARD, standing).remove(0);
            theirs.item = Item::Smartcard {
                id: CARD.smartcard.unwrap(),
                profile: None,
                card: Some(card("bc88f13f-83ba-4037-8262-46eba1291c6e")),
            };
            let before = known(vec![theirs]);
            let current = request(Status::Approved, needing(0));
            let decided = decide(&command(TARGET, action("bind")), Some(&current), &before);
            let expected = match (standing, owner) {
                (Standing::Retired, _) => Some(BOUND),
                (Standing::New, TARGET) => CARD.smartcard,
                _ => None,
            };
            let bound = decided.ok().flatten().and_then(|event| event.request.new.smartcard);
            assert_eq!(bound, expected, "{owner}: {}", standing.name());
        }
    }
}

#[test]
fn a_card_that_is_renewed_may_be_its_own_successor() {
    let mut own = holding(TARGET, CARD, Standing::Active).remove(0);
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
    let bound = Credential { profile: None, smartcard: Some(BOUND) };
    for name in ["cancel", "abandon", "fail"] {
        let current = Request { new: bound, ..request(Status::Executing, needing(0)) };
        let given_back = |standing| {
            let before = known(holding(TARGET, bound, standing));
            decide(&command(TARGET, action(name)), Some(&current), &before).unwrap().unwrap().subjects
        };
        assert_eq!(standings(&given_back(Standing::Assigned)), [(true, Standing::Retired)], "{name}");
        assert_eq!(given_back(Standing::Active), [], "{name}: a card in use stays so");
    }
}

#[test]
fn an_import_changes_no_owner_and_revives_nothing() {
    let card = || holding(TARGET, CARD, Standing::Active).remove(0);
    let before = known(vec![card()]);
    let import = |told: Subject, known: &Subjects| import(&[told], known).map(|_| ());
    assert_eq!(import(card(), &before), Ok(()));
    let suspended = Subject { standing: Standing::Suspended, ..card() };
    assert_eq!(import(suspended, &before), Ok(()));
    let stolen = Subject { owner: STRANGER, ..card() };
    assert_eq!(import(stolen, &before), Err(taken("subjects[0].id")));
    let profile = Item::Profile { id: crate::domain::ProfileId::new(card().id()), smartcard: None };
    assert_eq!(import(Subject { item: profile, ..card() }, &before), Err(taken("subjects[0].id")));
    let retired = known(vec![Subject { standing: Standing::Retired, ..card() }]);
    let refusal = Refusal::IllegalStanding { from: Standing::Retired, to: Standing::Active };
    assert_eq!(import(card(), &retired), Err(refusal));
}

/// Somebody retired the card after it was bound, or after its renewal was asked for.
#[test]
fn a_request_whose_card_was_retired_is_not_completed() {
    let retired = holding(TARGET, Credential { profile: None, ..CARD }, Standing::Retired);
    let new = Credential { smartcard: CARD.smartcard, ..OTHER_CARD };
    let bound = Request { new: Credential { profile: None, ..CARD }, ..request(Status::Executing, needing(0)) };
    for current in [bound, about(RequestType::Renew, CARD)] {
        let refusal = completed(&current, new, &known(retired.clone())).unwrap_err();
        let expected = Refusal::IllegalStanding { from: Standing::Retired, to: Standing::Active };
        assert_eq!(refusal, expected, "{}", current.kind.name());
    }
}

/// The request was created when there was no profile on the card.
#[test]
fn a_retired_card_takes_along_the_profile_that_it_got_meanwhile() {
    let before = known(holding(TARGET, CARD, Standing::Active));
    let card = Credential { profile: None, ..CARD };
    let left = completed(&about(RequestType::Retire, card), card, &before).unwrap();
    assert_eq!(standings(&left), [(true, Standing::Retired), (false, Standing::Retired)]);
}
