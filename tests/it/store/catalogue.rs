//! Templates, and the profiles and cards that requests issue or refer to.

use cmgate::domain::{
    Atr, Comment, Credential, CredentialIds, CredentialStatus, Item, Lineage, PhysicalCard, Policy, Refusal,
    RequestType, SerialNumber, SmartcardId, TemplateRef, UserId,
};
use cmgate::service::{commit, import_credentials};
use cmgate::store::{OlderTemplate, Store};
use uuid::Uuid;

use super::steps::{carry_out, commit_one, read, whole_log};
use crate::support::commands::{
    ORIGINATOR, TARGET, TEMPLATE, at, bind, cancel, command, complete, creation, fail, fresh_card, needing, request,
    template,
};
use crate::support::database::TestDatabase;

pub(super) async fn a_completed_request_registers_its_credentials(database: &TestDatabase) {
    let store = database.open().await;
    let software = CredentialIds { smartcard: None, ..fresh_card() };
    for (kind, made) in [
        (RequestType::Enroll, fresh_card()),
        (RequestType::Renew, fresh_card()),
        (RequestType::TemporaryCardEnroll, fresh_card()),
        (RequestType::Enroll, software),
    ] {
        let mut new = request(0);
        new.kind = kind;
        new.old = if kind == RequestType::Renew { fresh_card() } else { CredentialIds::NONE };
        carry_out(&*store, creation(new.clone())).await;
        assert_eq!(known(&*store, made).await, [], "{}: nothing before completion", kind.name());
        carry_out(&*store, command(TARGET, new.id, complete(made))).await;
        let lineage = match kind {
            RequestType::Renew => Lineage::Replaces(new.old),
            RequestType::TemporaryCardEnroll => Lineage::StandsInFor(CredentialIds::NONE),
            _ => Lineage::First,
        };
        let expected = held(TARGET, made).map(|credential| Credential { lineage, ..credential }).collect::<Vec<_>>();
        assert_eq!(known(&*store, made).await, expected, "{}", kind.name());
    }
}

pub(super) async fn a_request_with_an_unknown_card_or_a_failed_one_registers_nothing(database: &TestDatabase) {
    let store = database.open().await;
    let kept = fresh_card();
    let mut new = request(0);
    (new.kind, new.old) = (RequestType::Unblock, kept);
    carry_out(&*store, creation(new.clone())).await;
    carry_out(&*store, command(TARGET, new.id, complete(CredentialIds::NONE))).await;
    assert_eq!(known(&*store, kept).await, []);

    let (failing, _) = carry_out(&*store, creation(request(0))).await;
    carry_out(&*store, command(TARGET, failing.id, fail())).await;
    let (empty, _) = carry_out(&*store, creation(request(0))).await;
    let (completed, _) = carry_out(&*store, command(TARGET, empty.id, complete(CredentialIds::NONE))).await;
    assert!(completed.new.is_none());
}

pub(super) async fn a_completed_request_changes_the_status_of_its_card(database: &TestDatabase) {
    let store = database.open().await;
    for (kind, status) in [
        (RequestType::Unblock, CredentialStatus::Active),
        (RequestType::SuspendOrReinstate, CredentialStatus::Suspended),
        (RequestType::Disable, CredentialStatus::Disabled),
        (RequestType::Retire, CredentialStatus::Retired),
    ] {
        let card = issued(&*store).await;
        let mut new = request(0);
        (new.kind, new.old) = (kind, card);
        carry_out(&*store, creation(new.clone())).await;
        carry_out(&*store, command(TARGET, new.id, complete(CredentialIds::NONE))).await;
        for credential in known(&*store, card).await {
            assert_eq!(credential.status, status, "{}", kind.name());
        }
    }
}

/// The owner is compared while the rows are locked, and a refusal changes nothing.
pub(super) async fn a_request_is_not_completed_with_the_credential_of_another_user(database: &TestDatabase) {
    let store = database.open().await;
    let theirs = issued(&*store).await;
    let mut new = request(0);
    new.target = ORIGINATOR;
    carry_out(&*store, creation(new.clone())).await;
    let before = (known(&*store, theirs).await, whole_log(&*store).await);
    for (named, field) in [
        (theirs, "new_credential.smartcard"),
        (CredentialIds { smartcard: None, ..theirs }, "new_credential.profile"),
        (CredentialIds { profile: fresh_card().profile, ..theirs }, "new_credential.smartcard"),
        (CredentialIds { smartcard: fresh_card().smartcard, ..theirs }, "new_credential.profile"),
    ] {
        let reply = commit_one(&*store, command(ORIGINATOR, new.id, complete(named))).await;
        assert_eq!(reply.unwrap_err(), Refusal::CredentialTaken { field: field.to_owned() });
    }
    assert_eq!(read(&*store, new.id).await.version.get(), 1);
    assert_eq!((known(&*store, theirs).await, whole_log(&*store).await), before);
}

/// Two requests issue the same card, in one batch and in two concurrent batches: the second is refused.
pub(super) async fn one_of_two_requests_that_issue_the_same_card_is_refused(database: &TestDatabase) {
    let store = database.open().await;
    for round in 0..10 {
        let card = fresh_card();
        let (one, other) = (request(0), request(0));
        commit(&*store, &[creation(one.clone()), creation(other.clone())]).await.unwrap();
        let commands = [one.id, other.id].map(|id| command(TARGET, id, complete(card)));
        let replies = if round % 2 == 0 {
            commit(&*store, &commands).await.unwrap()
        } else {
            let [first, second] = commands.each_ref().map(std::slice::from_ref);
            let (first, second) = tokio::join!(commit(&*store, first), commit(&*store, second));
            [first.unwrap(), second.unwrap()].concat()
        };
        let refused: Vec<Refusal> = replies.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused, [Refusal::CredentialTaken { field: "new_credential.smartcard".to_owned() }], "{round}");
        assert_eq!(known(&*store, card).await.len(), 2);
    }
    whole_log(&*store).await;
}

pub(super) async fn a_card_is_bound_to_one_request_until_that_ends(database: &TestDatabase) {
    let store = database.open().await;
    let (one, other) = (request(0), request(0));
    commit(&*store, &[creation(one.clone()), creation(other.clone())]).await.unwrap();
    let (bound, event) = carry_out(&*store, command(TARGET, one.id, bind("card-1"))).await;
    let card = bound.new.smartcard.unwrap();
    assert_eq!(event.version.get(), 2);
    let status = async || store.credentials(&[card.uuid()]).await.unwrap().remove(0).status;
    assert_eq!(status().await, CredentialStatus::Assigned);

    // Binding the card again changes nothing; binding another card, or this one to another request, is refused.
    let again = commit_one(&*store, command(TARGET, one.id, bind("card-1"))).await.unwrap();
    assert_eq!((again.request.new.smartcard, again.logged), (Some(card), None));
    let refusal = commit_one(&*store, command(TARGET, one.id, bind("card-2"))).await.unwrap_err();
    assert_eq!(refusal, Refusal::OtherCardBound(card));
    let refusal = commit_one(&*store, command(TARGET, other.id, bind("card-1"))).await.unwrap_err();
    assert!(matches!(refusal, Refusal::CardInUse(_)), "{refusal}");

    // In one batch, one request releases the card and the other binds it.
    let batch = [command(TARGET, one.id, cancel()), command(TARGET, other.id, bind("card-1"))];
    let replies = commit(&*store, &batch).await.unwrap();
    let next = replies[1].as_ref().unwrap().request.new.smartcard.unwrap();
    assert_ne!(next, card);
    assert_eq!(status().await, CredentialStatus::Retired);
    let in_use = store.card(&"card-1".to_owned().try_into().unwrap()).await.unwrap().unwrap();
    assert_eq!(in_use.id(), next.uuid());

    let (completed, _) = carry_out(&*store, command(TARGET, other.id, complete(CredentialIds::NONE))).await;
    assert_eq!(completed.new.smartcard, Some(next), "the bound card stays");
    assert_eq!(store.credentials(&[next.uuid()]).await.unwrap()[0].status, CredentialStatus::Active);
    whole_log(&*store).await;
}

pub(super) async fn one_card_in_many_batches_at_once_is_bound_once(database: &TestDatabase) {
    let store = database.open().await;
    for round in 0..5 {
        let requests: Vec<_> = (0..6).map(|_| request(0)).collect();
        commit(&*store, &requests.iter().cloned().map(creation).collect::<Vec<_>>()).await.unwrap();
        let name = format!("card-{round}");
        let attempts = requests.iter().map(|request| {
            let (store, command) = (store.clone(), command(TARGET, request.id, bind(&name)));
            tokio::spawn(async move { commit_one(&*store, command).await.is_ok() })
        });
        let mut bound = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            bound += usize::from(attempt.await.unwrap());
        }
        assert_eq!(bound, 1);
    }
    whole_log(&*store).await;
}

pub(super) async fn credentials_issued_elsewhere_can_be_imported(database: &TestDatabase) {
    let store = database.open().await;
    let (card, profile) = (fresh_card(), CredentialIds { smartcard: None, ..fresh_card() });
    let credentials: Vec<Credential> = held(TARGET, card).chain(held(TARGET, profile)).collect();
    assert_eq!(import_credentials(&*store, &[], at(0)).await.unwrap(), Ok(()));
    for _ in 0..2 {
        assert_eq!(import_credentials(&*store, &credentials, at(0)).await.unwrap(), Ok(()));
        assert_eq!(known(&*store, card).await, credentials[..2]);
        assert_eq!(known(&*store, profile).await, credentials[2..]);
    }
    let suspended = Credential { status: CredentialStatus::Suspended, ..credentials[2].clone() };
    let suspended = [suspended];
    assert_eq!(import_credentials(&*store, &suspended, at(0)).await.unwrap(), Ok(()));
    assert_eq!(known(&*store, profile).await, suspended);

    // One refused member refuses the whole import.
    let handed_on = Credential { owner: ORIGINATOR, ..credentials[0].clone() };
    let refused = Refusal::CredentialTaken { field: "credentials[1].id".to_owned() };
    assert_eq!(import_credentials(&*store, &[credentials[2].clone(), handed_on], at(0)).await.unwrap(), Err(refused));
    assert_eq!(known(&*store, profile).await, suspended);
}

/// If no card with a serial number is in use, the one retired last is found, whatever its id and however often it is imported.
pub(super) async fn the_card_retired_last_is_the_one_that_is_found(database: &TestDatabase) {
    let store = database.open().await;
    let serial_number = SerialNumber::parse("serial_number", "one").unwrap();
    let card = |number: u128, status| Credential {
        item: Item::Smartcard {
            id: SmartcardId::new(Uuid::from_u128(number)),
            profile: None,
            card: Some(PhysicalCard { serial_number: serial_number.clone(), atr: Atr::default() }),
        },
        status,
        ..held(TARGET, fresh_card()).next().unwrap()
    };
    let import = async |number, status, seconds| {
        let imported = import_credentials(&*store, &[card(number, status)], at(seconds)).await.unwrap();
        assert_eq!(imported, Ok(()), "card {number}");
        store.card(&serial_number).await.unwrap().unwrap().id().as_u128()
    };
    assert_eq!(import(9, CredentialStatus::Retired, 1).await, 9);
    assert_eq!(import(5, CredentialStatus::Active, 2).await, 5, "the one in use");
    assert_eq!(import(5, CredentialStatus::Retired, 3).await, 5, "retired after 9");
    assert_eq!(import(7, CredentialStatus::Retired, 2).await, 5, "retired before 5");
    assert_eq!(import(9, CredentialStatus::Retired, 4).await, 5, "9 was retired before and is imported again");
}

pub(super) async fn the_profiles_and_cards_of_a_user_are_listed_in_pages(database: &TestDatabase) {
    use cmgate::domain::{CredentialPage, CredentialQuery, PAGE_BYTES_MAX};
    let store = database.open().await;
    let mut theirs: Vec<Credential> = (0..5).flat_map(|_| held(TARGET, fresh_card())).collect();
    theirs[3].status = CredentialStatus::Disabled;
    let others: Vec<Credential> = held(ORIGINATOR, fresh_card()).collect();
    assert_eq!(import_credentials(&*store, &[theirs.clone(), others].concat(), at(0)).await.unwrap(), Ok(()));
    theirs.sort_by_key(Credential::id);
    for statuses in
        [vec![], vec![CredentialStatus::Disabled], vec![CredentialStatus::Active, CredentialStatus::Disabled]]
    {
        let is_meant = |credential: &&Credential| statuses.is_empty() || statuses.contains(&credential.status);
        let expected: Vec<Credential> = theirs.iter().filter(is_meant).cloned().collect();
        let query = CredentialQuery { owner: TARGET, statuses: statuses.clone() };
        let mut listed: Vec<Credential> = Vec::new();
        loop {
            let after = listed.last().map(Credential::id);
            let max_bytes = if listed.len() < 3 { PAGE_BYTES_MAX } else { 1 };
            let found = store.find_credentials(&query, CredentialPage { after, limit: 3, max_bytes }).await.unwrap();
            listed.extend(found.members);
            if !found.has_more {
                break;
            }
        }
        assert_eq!(listed, expected, "{statuses:?}");
    }
}

pub(super) async fn a_template_gets_a_new_version_only_when_it_differs(database: &TestDatabase) {
    let store = database.open().await;
    let (first, second) = (template(needing(0)), template(Policy { self_service: false, ..needing(2) }));
    let other = cmgate::domain::ProfileTemplate {
        id: "7d9e6a0c-6c1b-4f0e-9a55-6f8f4c2a5d11".parse().unwrap(),
        ..first.clone()
    };
    assert_eq!(store.templates().await.unwrap(), []);
    for (template, older, version) in [
        (&first, OlderTemplate::Keep, 1),
        (&first, OlderTemplate::Restore, 1),
        (&second, OlderTemplate::Keep, 2),
        (&second, OlderTemplate::Restore, 2),
        (&other, OlderTemplate::Keep, 1),
        (&first, OlderTemplate::Keep, 1),
        (&first, OlderTemplate::Restore, 3),
        (&first, OlderTemplate::Keep, 3),
        (&second, OlderTemplate::Keep, 2),
    ] {
        assert_eq!(store.put_template(template, older, at(0)).await.unwrap(), version, "{older:?}");
    }
    let mut kept = database.open().await.templates().await.unwrap();
    kept.sort_by_key(|(id, ..)| *id);
    assert_eq!(kept, [(TEMPLATE, 3, first), (other.id, 1, other.clone())]);
}

/// A card and its profile, issued by an enroll request of the target.
async fn issued(store: &dyn Store) -> CredentialIds {
    let (card, new) = (fresh_card(), request(0));
    carry_out(store, creation(new.clone())).await;
    carry_out(store, command(TARGET, new.id, complete(card))).await;
    card
}

/// The stored card and profile, the card first.
async fn known(store: &dyn Store, credential_ids: CredentialIds) -> Vec<Credential> {
    let ids: Vec<Uuid> = credential_ids.ids().collect();
    let mut known = store.credentials(&ids).await.unwrap();
    known.sort_by_key(|credential| !credential.is_smartcard());
    known
}

/// An active card and its profile, the card first.
fn held(owner: UserId, credential_ids: CredentialIds) -> impl Iterator<Item = Credential> {
    let CredentialIds { profile, smartcard } = credential_ids;
    let card = smartcard.map(|id| Item::Smartcard { id, profile, card: None });
    let profile = profile.map(|id| Item::Profile { id, smartcard });
    card.into_iter().chain(profile).map(move |item| Credential {
        item,
        owner,
        template: TemplateRef { id: TEMPLATE, version: 1 },
        status: CredentialStatus::Active,
        lineage: Lineage::First,
        comment: Comment::default(),
    })
}
