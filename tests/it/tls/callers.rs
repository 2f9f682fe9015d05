//! Callers by their client certificates.

use cmgate::domain::UserId;
use rcgen::SanType;
use rcgen::string::Ia5String;
use tonic::Code;

use super::client::TlsClient;
use super::pki::{Ca, Leaf};
use super::{Site, crl, in_days, metrics, reload, sample};
use crate::support::client::{CARDS, create, creation, enrollment, info};
use crate::support::instance::Instance;

const ISSUER: &str = "spiffe://corp.test/ns/prod/sa/issuer";

fn workload(ca: &Ca, serial: u64, uris: &[&str]) -> Leaf {
    ca.client_with(serial, in_days(1), |params| {
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI(Ia5String::try_from(*uri).unwrap())).collect();
    })
}

/// Starts the service with one rule for the workloads of `corp.test`.
fn started(site: &Site) -> Instance {
    site.write("rule.pem", &site.clients.pem());
    let path = |name| site.path(name).display().to_string();
    let (ca, crl, rule) = (path("clients.pem"), path("clients.crl"), path("rule.pem"));
    site.start(&[
        ("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"),
        ("CMGATE__TLS__CLIENT_CA", &ca),
        ("CMGATE__TLS__CRL", &crl),
        ("CMGATE__AUTH__CERTIFICATE__0__NAME", "workloads"),
        ("CMGATE__AUTH__CERTIFICATE__0__CA", &rule),
        ("CMGATE__AUTH__CERTIFICATE__0__SOURCE", "spiffe"),
        ("CMGATE__AUTH__CERTIFICATE__0__TRUST_DOMAIN", "corp.test"),
    ])
}

/// The reason why a call is refused as unauthenticated.
async fn refusal(client: &TlsClient, instance: &Instance) -> String {
    let mut call = tonic::Request::new(creation(enrollment(CARDS)));
    call.metadata_mut().insert("x-dev-user", "8f1590dc-d932-4b66-8e68-2e91c5880780".parse().unwrap());
    let refused = client.grpc(instance.public).create_request(call).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    info(&refused).reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_the_caller_that_its_rule_says() {
    let site = Site::new();
    let instance = started(&site);
    let known = TlsClient::known_as(&site.server, &workload(&site.clients, 1, &[ISSUER]));
    let user = UserId::of_subject("workloads", ISSUER).to_string();
    for _ in 0..2 {
        let request = create(&mut known.grpc(instance.public), enrollment(CARDS)).await;
        assert_eq!(request.originator, user);
    }
    // The development caller and its header are off.
    assert_eq!(refusal(&site.client(), &instance).await, "NO_CREDENTIALS");
    for (uris, check) in [
        (&["spiffe://corp.test.evil/a"][..], "certificate_unmapped"),
        (&[], "certificate_unmapped"),
        (&[ISSUER, "spiffe://corp.test/ns/prod/sa/other"], "certificate_several_names"),
    ] {
        let stranger = TlsClient::known_as(&site.server, &workload(&site.clients, 2, uris));
        let counter = format!("cmgate_calls_not_authenticated_total{{check=\"{check}\"}}");
        let before = sample(&instance, &counter).await;
        assert_eq!(refusal(&stranger, &instance).await, "CLIENT_CERTIFICATE_UNKNOWN", "{uris:?}");
        assert!(sample(&instance, &counter).await > before, "{}", metrics(&instance).await.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_follows_its_ca_file() {
    let site = Site::new();
    let instance = started(&site);
    let next = Ca::new("next CA");
    let known = TlsClient::known_as(&site.server, &workload(&next, 1, &[ISSUER]));
    site.write("clients.pem", &(site.clients.pem() + &next.pem()));
    site.write("clients.crl", &(crl(&site.clients, &[]) + &crl(&next, &[])));
    reload(&instance).await;
    assert_eq!(refusal(&known, &instance).await, "CLIENT_CERTIFICATE_UNKNOWN", "the rule does not name the CA");
    site.write("rule.pem", &(site.clients.pem() + &next.pem()));
    reload(&instance).await;
    create(&mut known.grpc(instance.public), enrollment(CARDS)).await;
}
