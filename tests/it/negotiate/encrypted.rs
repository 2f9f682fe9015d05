//! Tickets over TLS: bound to the connection, and for clients that prefer HTTP/2.

use bytes::Bytes;
use cmgate::runtime::tls::ServerEndPoint;
use http::{Method, Version};

use super::initiator::Initiator;
use super::kdc::{Kdc, Kind};
use super::service::{EMPTY, environment, refused};
use crate::support::client::{CARDS, REQUESTS};
use crate::support::instance::Instance;
use crate::tls::client::{Answered, Connection, H2, HTTP1};
use crate::tls::{Site, reload};

/// A path without a resource.
const NOWHERE: &str = "/CertificateManagement/api/v1.0/nowhere";

/// The application data of the binding to the certificate of a site.
fn binding(site: &Site) -> Vec<u8> {
    ServerEndPoint::of_certificate(&site.certificate()).unwrap().as_bytes().to_vec()
}

fn start(site: &Site, kdc: &Kdc, settings: &[(&str, &str)]) -> Instance {
    let environment = environment(kdc);
    let own = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    site.start(&[&own[..], settings].concat())
}

async fn list(connection: &mut Connection, authorization: &str) -> Answered {
    let headers = [("Authorization", authorization)];
    connection.send(Method::GET, REQUESTS, &headers, Bytes::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_must_be_right_and_is_demanded_if_configured() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let alice = kdc.log_in("alice").await;
    let (site, other) = (Site::new(), Site::new());
    let (right, wrong) = (binding(&site), binding(&other));
    for (mode, outcomes) in [
        ("off", [None, None, None]),
        ("when-sent", [None, Some("negotiate_bindings"), None]),
        ("required", [None, Some("negotiate_bindings"), Some("negotiate_unbound")]),
    ] {
        let instance = start(&site, &kdc, &[("CMGATE__AUTH__NEGOTIATE__CHANNEL_BINDING", mode)]);
        let mut connection = site.client().open(instance.public).await.unwrap();
        for (binding, outcome) in [Some(&right), Some(&wrong), None].into_iter().zip(outcomes) {
            let ticket = Initiator::begin(&alice, binding.map(Vec::as_slice));
            let answer = list(&mut connection, ticket.authorization()).await;
            let (status, counted) = match outcome {
                None => (EMPTY, 0),
                Some(check) => (401, refused(&instance, check).await),
            };
            assert_eq!(
                (answer.status, counted),
                (status, u64::from(outcome.is_some())),
                "{mode} {binding:?}: {answer:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_is_to_the_certificate_of_its_own_connection_also_after_a_reload() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let alice = kdc.log_in("alice").await;
    let site = Site::new();
    let instance = start(&site, &kdc, &[("CMGATE__AUTH__NEGOTIATE__CHANNEL_BINDING", "required")]);
    let mut old = site.client().open(instance.public).await.unwrap();
    let first = binding(&site);
    site.renew();
    reload(&instance).await;
    let mut new = site.client().open(instance.public).await.unwrap();
    let second = binding(&site);
    for (connection, own, other) in [(&mut old, &first, &second), (&mut new, &second, &first)] {
        for (binding, status) in [(own, EMPTY), (other, 401), (own, EMPTY)] {
            let ticket = Initiator::begin(&alice, Some(binding));
            assert_eq!(list(connection, ticket.authorization()).await.status, status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_proves_the_service_to_the_client() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let alice = kdc.log_in("alice").await;
    let site = Site::new();
    let instance = start(&site, &kdc, &[]);
    let mut connection = site.client().open(instance.public).await.unwrap();
    let tickets = [None, Some(binding(&site))].map(|binding| Initiator::begin(&alice, binding.as_deref()));
    let mut answers = Vec::new();
    for ticket in &tickets {
        let answer = list(&mut connection, ticket.authorization()).await;
        assert_eq!(answer.status, EMPTY);
        answers.push(answer.header("www-authenticate").unwrap().to_owned());
    }
    // Each answer proves the service for its own ticket only.
    let [first, second] = tickets;
    assert_eq!(first.judge(&answers[0]), "proven");
    let told = second.judge(&answers[0]);
    assert!(told.starts_with("refused: "), "{told}");
    // So does an error that the caller may see. A refusal has the challenge only.
    let ticket = Initiator::begin(&alice, None);
    let headers = [("Authorization", ticket.authorization())];
    let missing = connection.send(Method::GET, NOWHERE, &headers, Bytes::new()).await.unwrap();
    assert_eq!((missing.status, ticket.judge(missing.header("www-authenticate").unwrap())), (404, "proven".to_owned()));
    let refused = list(&mut connection, "Negotiate YWJj").await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Negotiate")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http2_is_sent_to_http1() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let (site, alice) = (Site::new(), kdc.log_in("alice").await);
    let instance = start(&site, &kdc, &[]);
    let ticket = Initiator::begin(&alice, None);
    let mut connection = site.client().offering(&[H2, HTTP1]).open(instance.public).await.unwrap();
    // Browsers and WinHTTP fall back when they see the challenge.
    let bare = connection.get(REQUESTS).await.unwrap();
    assert_eq!((bare.status, bare.version, bare.header("www-authenticate")), (401, Version::HTTP_2, Some("Negotiate")));
    // Others that send their ticket nevertheless are told to.
    for count in 1..=2 {
        let headers = [("Authorization", ticket.authorization())];
        let told = connection.send(Method::GET, REQUESTS, &headers, Bytes::new()).await.unwrap_err();
        assert!(told.contains("endpoint requires HTTP/1.1"), "{told}");
        assert_eq!(refused(&instance, "negotiate_http_version").await, count);
    }
    assert_eq!(connection.get(REQUESTS).await.unwrap().status, 401, "the connection goes on");
    // The ticket was not used.
    let mut connection = site.client().offering(&[HTTP1]).open(instance.public).await.unwrap();
    assert_eq!(list(&mut connection, ticket.authorization()).await.status, EMPTY);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_falls_back_to_http1() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let (site, alice) = (Site::new(), kdc.log_in("alice").await);
    let instance = start(&site, &kdc, &[]);
    let ca = site.trusted();
    let url = format!("https://localhost:{}{REQUESTS}", instance.public.port());
    let body = format!(r#"{{"type":"Enroll","profiletemplateuuid":"{CARDS}","datacollection":[],"comment":""}}"#);
    let own = ["--cacert", ca.to_str().unwrap(), "--http2", &url];
    let send = |arguments: &[&str]| alice.run(&[&own, arguments].concat());
    let bare = send(&[]);
    assert_eq!((bare.version.as_str(), bare.status), ("2", 401), "{bare:?}");
    for arguments in [&["--negotiate", "--user", ":"][..], &["--anyauth", "--user", ":"]] {
        let created = send(&[arguments, &["--json", &body]].concat());
        assert_eq!((created.version.as_str(), created.status), ("1.1", 201), "{arguments:?}: {created:?}");
    }
}
