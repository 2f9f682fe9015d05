//! Subjects and templates.

use cmgate::domain::{Credential, Policy, RequestType, Subject};
use cmgate::store::Store;

use super::place::{Place, carry_out};
use crate::commands::{
    ORIGINATOR, TARGET, TEMPLATE, at, complete, creation, fail, fresh_card, needing, request, template, wish,
};

pub(super) async fn a_completed_request_tells_what_it_made(place: &Place) {
    let store = place.open().await;
    let software = Credential { smartcard: None, ..fresh_card() };
    for (kind, made) in [
        (RequestType::Enroll, fresh_card()),
        (RequestType::Renew, fresh_card()),
        (RequestType::TemporaryCardEnroll, fresh_card()),
        (RequestType::Enroll, software),
    ] {
        let mut new = request(0);
        new.kind = kind;
        carry_out(&*store, creation(new.clone())).await;
        assert_eq!(known(&*store, made).await, None, "{}: not before its end", kind.name());
        carry_out(&*store, wish(TARGET, new.id, complete(made))).await;
        let expected = Subject { credential: made, owner: TARGET, template: TEMPLATE };
        assert_eq!(known(&*store, made).await, Some(expected), "{}", kind.name());
    }
}

pub(super) async fn a_request_that_keeps_or_fails_tells_nothing(place: &Place) {
    let store = place.open().await;
    let kept = fresh_card();
    let mut new = request(0);
    (new.kind, new.old, new.new) = (RequestType::Unblock, kept, kept);
    carry_out(&*store, creation(new.clone())).await;
    carry_out(&*store, wish(TARGET, new.id, complete(Credential::NONE))).await;
    assert_eq!(known(&*store, kept).await, None);

    let (failing, _) = carry_out(&*store, creation(request(0))).await;
    carry_out(&*store, wish(TARGET, failing.id, fail())).await;
    let (empty, _) = carry_out(&*store, creation(request(0))).await;
    let (completed, _) = carry_out(&*store, wish(TARGET, empty.id, complete(Credential::NONE))).await;
    assert!(completed.new.is_none());
}

pub(super) async fn what_was_issued_elsewhere_can_be_made_known(place: &Place) {
    let store = place.open().await;
    let (card, profile) = (fresh_card(), Credential { smartcard: None, ..fresh_card() });
    let subjects = [card, profile].map(|credential| Subject { credential, owner: TARGET, template: TEMPLATE });
    store.put_subjects(&[]).await.unwrap();
    store.put_subjects(&subjects).await.unwrap();
    assert_eq!(known(&*store, card).await, Some(subjects[0]));
    assert_eq!(known(&*store, profile).await, Some(subjects[1]));

    let handed_on = Subject { owner: ORIGINATOR, ..subjects[0] };
    store.put_subjects(&[handed_on]).await.unwrap();
    assert_eq!(known(&*store, card).await, Some(handed_on));
    assert_eq!(known(&*store, profile).await, Some(subjects[1]));
}

pub(super) async fn a_template_gets_a_new_version_only_when_it_differs(place: &Place) {
    let store = place.open().await;
    let (first, second) = (template(needing(0)), template(Policy { self_service: false, ..needing(2) }));
    let other = cmgate::domain::ProfileTemplate {
        id: "7d9e6a0c-6c1b-4f0e-9a55-6f8f4c2a5d11".parse().unwrap(),
        ..first.clone()
    };
    assert_eq!(store.templates().await.unwrap(), []);
    for (template, version) in [(&first, 1), (&first, 1), (&second, 2), (&second, 2), (&other, 1), (&first, 3)] {
        assert_eq!(store.put_template(template, at(0)).await.unwrap(), version);
    }
    let mut kept = place.open().await.templates().await.unwrap();
    kept.sort_by_key(|(id, ..)| *id);
    assert_eq!(kept, [(TEMPLATE, 3, first), (other.id, 1, other.clone())]);
}

/// What the store knows of a credential; the same by each of its ids.
async fn known(store: &dyn Store, credential: Credential) -> Option<Subject> {
    let mut known = Vec::new();
    for id in credential.ids() {
        known.push(store.subject(id).await.unwrap());
    }
    assert!(known.windows(2).all(|pair| pair[0] == pair[1]), "{known:?}");
    known[0]
}
