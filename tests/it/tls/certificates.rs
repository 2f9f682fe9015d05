//! Client certificates: what is accepted, and what a reload of CAs and CRLs changes for new, resumed and open connections.

use std::time::{Duration, SystemTime};

use rcgen::ExtendedKeyUsagePurpose;
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use tonic::Code;

use super::client::{Connection, H2, HTTP1, TlsClient};
use super::pki::Ca;
use super::{PAGE, Site, crl, days, in_days, reload, sample};
use crate::support::client::{CARDS, create_many, creation, enrollment, info};
use crate::support::wait::wait_until;

/// How many handshakes had a result, with the CA of the certificate.
fn handshakes(result: &str, ca: &str) -> String {
    format!("cmgate_tls_handshakes_total{{port=\"public\",result=\"{result}\",ca=\"{ca}\"}}")
}

fn revoke(site: &Site, serials: &[u64]) {
    site.write("clients.crl", &crl(&site.clients, serials));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_certificate_is_counted_by_its_ca() {
    let site = Site::new();
    let instance = site.start_with_clients("optional");
    assert_eq!(site.client().get(instance.public, PAGE).await.unwrap().status, 200);
    let leaf = site.clients.client(7, in_days(1));
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let known = TlsClient::with(&site.server, versions, Some(&leaf));
        assert_eq!(known.get(instance.public, PAGE).await.unwrap().status, 200);
        create_many(&mut known.grpc(instance.public), 1).await;
    }
    assert!(sample(&instance, &handshakes("full", "CN=client CA")).await >= 2.0);
    assert!(sample(&instance, &handshakes("full", "none")).await >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_certificate_is_demanded_with_a_readable_answer() {
    let site = Site::new();
    let instance = site.start_with_clients("required");
    for protocol in [HTTP1, H2] {
        let mut connection = site.client().offering(&[protocol]).open(instance.public).await.unwrap();
        let answer = connection.get(PAGE).await.unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.body.contains("This port requires a client certificate"), "{answer:?}");
        assert_ends(&mut connection).await;
    }
    let refused = site.client().grpc(instance.public).create_request(creation(enrollment(CARDS))).await.unwrap_err();
    assert_eq!((refused.code(), &*info(&refused).reason), (Code::Unauthenticated, "CLIENT_CERTIFICATE_REQUIRED"));
    let known = TlsClient::known_as(&site.server, &site.clients.client(7, in_days(1)));
    create_many(&mut known.grpc(instance.public), 1).await;
    instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_valid_is_refused_with_its_reason_in_the_log() {
    let site = Site::new();
    revoke(&site, &[5]);
    let instance = site.start_with_clients("optional");
    let now = SystemTime::now();
    let stranger = Ca::new("another CA");
    let cases = [
        ("expired", site.clients.client(1, now - days(1)), "expired"),
        (
            "not yet valid",
            site.clients.client_with(2, in_days(1), |params| params.not_before = (now + days(1)).into()),
            "not valid yet",
        ),
        (
            "for servers only",
            site.clients.client_with(3, in_days(1), |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            "InvalidPurpose",
        ),
        ("of an unknown CA", stranger.client(4, in_days(1)), "UnknownIssuer"),
        ("revoked", site.clients.client(5, in_days(1)), "Revoked"),
    ];
    let mut refused: u32 = 0;
    for (what, leaf, reason) in cases {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let client = TlsClient::with(&site.server, versions, Some(&leaf));
            let told = client.get(instance.public, PAGE).await.unwrap_err();
            assert!(told.contains("received fatal alert"), "{what}: {told}");
            refused += 1;
        }
        let log = instance.log();
        let serial = u64::from_be_bytes(serial(&log, reason));
        assert!((1..=5).contains(&serial), "{what}: {log}");
    }
    let counted = sample(&instance, &handshakes("certificate_refused", "none")).await;
    assert_eq!(counted.to_string(), refused.to_string());
    // A certificate without an extended key usage is valid for every purpose (RFC 5280, 4.2.1.12).
    let leaf = site.clients.client_with(6, in_days(1), |params| params.extended_key_usages.clear());
    let known = TlsClient::known_as(&site.server, &leaf);
    assert_eq!(known.get(instance.public, PAGE).await.unwrap().status, 200);
}

/// The serial number in the log line of a refused certificate.
fn serial(log: &str, reason: &str) -> [u8; 8] {
    let line = log.lines().find(|line| line.contains("client certificate refused") && line.contains(reason));
    let line = line.unwrap_or_else(|| panic!("no line about {reason}: {log}"));
    let digits = line.split_once("serial=\"").unwrap().1.split_once('"').unwrap().0;
    let number = u64::from_str_radix(&digits.replace(':', ""), 16).unwrap();
    number.to_be_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_client_can_neither_connect_nor_resume() {
    let site = Site::new();
    let instance = site.start_with_clients("optional");
    for (serial, versions) in [(1, &[&TLS12][..]), (2, &[&TLS13])] {
        let client = TlsClient::with(&site.server, versions, Some(&site.clients.client(serial, in_days(1))));
        assert_eq!(client.get(instance.public, PAGE).await.unwrap().status, 200);
        let stream = client.connect(instance.public).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed), "sessions can be resumed");
        assert_eq!(Connection::over(stream).await.get(PAGE).await.unwrap().status, 200);
        assert!(sample(&instance, &handshakes("resumed", "CN=client CA")).await >= 1.0);

        revoke(&site, &[serial]);
        reload(&instance).await;
        let told = client.get(instance.public, PAGE).await.unwrap_err();
        assert!(told.contains("received fatal alert: CertificateRevoked"), "with its session: {told}");
        let fresh = TlsClient::with(&site.server, versions, Some(&site.clients.client(serial, in_days(1))));
        let told = fresh.get(instance.public, PAGE).await.unwrap_err();
        assert!(told.contains("received fatal alert: CertificateRevoked"), "without a session: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_connection_is_judged_again_after_a_reload() {
    let site = Site::new();
    let instance = site.start_with_clients("optional");
    let revoked = TlsClient::known_as(&site.server, &site.clients.client(1, in_days(1)));
    let other = TlsClient::known_as(&site.server, &site.clients.client(2, in_days(1)));
    let mut open = Vec::new();
    for protocol in [HTTP1, H2] {
        for client in [&revoked, &other] {
            let mut connection = client.offering(&[protocol]).open(instance.public).await.unwrap();
            assert_eq!(connection.get(PAGE).await.unwrap().status, 200);
            open.push(connection);
        }
    }
    let mut grpc = revoked.grpc(instance.public);
    create_many(&mut grpc, 1).await;
    revoke(&site, &[1]);
    reload(&instance).await;

    let refused = grpc.create_request(creation(enrollment(CARDS))).await.unwrap_err();
    assert_eq!((refused.code(), &*info(&refused).reason), (Code::Unauthenticated, "CLIENT_CERTIFICATE_REFUSED"));
    let mut open = open.into_iter();
    while let (Some(mut revoked), Some(mut other)) = (open.next(), open.next()) {
        assert_eq!(other.get(PAGE).await.unwrap().status, 200);
        let answer = revoked.get(PAGE).await.unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.body.contains("he client certificate is no longer accepted"), "{answer:?}");
        assert_ends(&mut revoked).await;
        assert_eq!(other.get(PAGE).await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_is_added_is_accepted_at_once_and_one_that_is_removed_no_longer() {
    let site = Site::new();
    let next = Ca::new("next CA");
    let instance = site.start_with_clients("optional");
    let (old, new) =
        [&site.clients, &next].map(|ca| TlsClient::known_as(&site.server, &ca.client(1, in_days(1)))).into();
    let mut open = old.open(instance.public).await.unwrap();
    open.get(PAGE).await.unwrap();
    assert!(new.get(instance.public, PAGE).await.unwrap_err().contains("UnknownCA"));

    site.write("clients.pem", &(site.clients.pem() + &next.pem()));
    site.write("clients.crl", &(crl(&site.clients, &[]) + &crl(&next, &[])));
    reload(&instance).await;
    assert_eq!(new.get(instance.public, PAGE).await.unwrap().status, 200);
    assert_eq!(open.get(PAGE).await.unwrap().status, 200, "the union serves both");
    assert!(sample(&instance, &handshakes("full", "CN=next CA")).await >= 1.0);

    site.write("clients.pem", &next.pem());
    site.write("clients.crl", &crl(&next, &[]));
    reload(&instance).await;
    assert_eq!(open.get(PAGE).await.unwrap().status, 401);
    assert!(old.get(instance.public, PAGE).await.unwrap_err().contains("UnknownCA"));
    assert_eq!(new.get(instance.public, PAGE).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_without_a_crl_among_crls_is_refused() {
    let site = Site::new();
    let next = Ca::new("next CA");
    site.write("clients.pem", &(site.clients.pem() + &next.pem()));
    let instance = site.start_with_clients("optional");
    let of = |ca: &Ca| TlsClient::known_as(&site.server, &ca.client(1, in_days(1)));
    assert_eq!(of(&site.clients).get(instance.public, PAGE).await.unwrap().status, 200);
    assert!(of(&next).get(instance.public, PAGE).await.is_err());
    assert!(instance.log().contains("UnknownRevocationStatus"), "{}", instance.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_expires_ends_its_connection() {
    let site = Site::new();
    let instance = site.start_with_clients("optional");
    let soon = SystemTime::now() + Duration::from_secs(5);
    let leaf = site.clients.client(1, soon);
    let client = TlsClient::known_as(&site.server, &leaf);
    let mut open = client.open(instance.public).await.unwrap();
    let mut last = 0;
    wait_until("the connection is refused", async || {
        last = open.get(PAGE).await.map_or(last, |answer| answer.status);
        last == 401
    })
    .await;
    assert_ends(&mut open).await;
}

/// Waits until a connection accepts no more calls.
async fn assert_ends(connection: &mut Connection) {
    wait_until("the connection has ended", async || connection.get(PAGE).await.is_err()).await;
}
