//! Tickets of MIT krb5: who the caller is, one use for each, and the protocols that offer Negotiate.

use cmgate::domain::UserId;
use futures::future::join_all;

use super::kdc::{Kdc, Kind};
use super::service::{EMPTY, Service};
use crate::support::client::{CARDS, REQUESTS};

fn enrollment() -> String {
    format!(r#"{{"type":"Enroll","profiletemplateuuid":"{CARDS}","datacollection":[],"comment":""}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_proves_its_principal_and_each_request_needs_one() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let service = Service::start(&kdc, &[]);
    let bare = service.http.get(REQUESTS).await;
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, "Negotiate"));

    for user in ["alice", "bob"] {
        let client = kdc.log_in(user).await;
        let id = client.create(service.instance.public, &enrollment());
        let subject = UserId::of_subject("negotiate", &format!("{user}@CORP.TEST")).to_string();
        assert_eq!(client.view(service.instance.public, &id)["OriginatorUserUuid"], subject);
    }
    // Over the same connection, the next request has no caller.
    let authorization = kdc.log_in("alice").await.authorization(&[]);
    assert_ne!(service.list(&authorization).await.status, 401);
    assert_eq!(service.http.get(REQUESTS).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_accepted_once_also_by_two_services_and_at_the_same_time() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let services = [Service::start(&kdc, &[]), Service::start(&kdc, &[])];
    let alice = kdc.log_in("alice").await;
    let authorization = alice.authorization(&[]);
    let calls = (0..16).map(|call| services[call % 2].list(&authorization));
    let mut statuses: Vec<u16> = join_all(calls).await.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[EMPTY][..], &[401; 15]].concat());
    let refused = services[0].refused("negotiate_replay").await + services[1].refused("negotiate_replay").await;
    assert_eq!(refused, 15);
    services[0].assert_refused(&authorization, "negotiate_replay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn negotiate_is_offered_and_accepted_over_http1_only() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let service = Service::start(&kdc, &[]);
    let alice = kdc.log_in("alice").await;
    let url = format!("http://localhost:{}{REQUESTS}", service.instance.public.port());
    let authorization = format!("Authorization: {}", alice.authorization(&[]));
    for header in [&[][..], &["--header", &authorization]] {
        let answer = alice.run(&[&["--http2-prior-knowledge", &url], header].concat());
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!answer.heads.to_lowercase().contains("negotiate"), "{answer:?}");
    }
    // The ticket was not looked at.
    assert_eq!(alice.run(&["--header", &authorization, &url]).status, EMPTY);
}

#[tokio::test(flavor = "multi_thread")]
async fn principals_of_trusted_realms_are_accepted_if_they_are_named() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let carol = kdc.log_in("carol@OTHER.TEST").await;
    let (own, both) = (
        Service::start(&kdc, &[]),
        Service::start(&kdc, &[("CMGATE__AUTH__NEGOTIATE__REALMS", "CORP.TEST, OTHER.TEST")]),
    );
    own.assert_refused(&carol.authorization(&[]), "negotiate_realm").await;
    let id = carol.create(both.instance.public, &enrollment());
    let subject = UserId::of_subject("negotiate", "carol@OTHER.TEST").to_string();
    assert_eq!(carol.view(both.instance.public, &id)["OriginatorUserUuid"], subject);
}
