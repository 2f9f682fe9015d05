//! Callers by every source of a rule for client certificates.

use std::fmt::Debug;

use cmgate::contract::v1::WhoAmIRequest;
use cmgate::contract::v1::caller_service_client::CallerServiceClient;
use cmgate::domain::UserId;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CustomExtension, DnType, OtherNameValue, SanType};
use serde_json::Value;

use super::client::TlsClient;
use super::{Site, in_days, sample};
use crate::support::client::{CARDS, create, creation, enrollment, info};
use crate::support::instance::Instance;

const SID: &str = "S-1-5-21-2127521184-1604012920-1887927527-1105";
const AGENT: &str = "0d3e54f6-7a0f-4bb4-8f0e-4b1c2f6d7e11";

/// A DER element of less than 128 bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

/// The SID extension of AD CS (MS-WCCE 2.2.2.7.7.4).
fn sid_extension(sid: &str) -> CustomExtension {
    let object_sid = element(6, &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 25, 2, 1]);
    let value = element(0xa0, &element(4, sid.as_bytes()));
    let content = element(0x30, &element(0xa0, &[object_sid, value].concat()));
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 311, 25, 2], content)
}

fn upn(name: &str) -> SanType {
    SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], OtherNameValue::Utf8String(name.to_owned())))
}

fn text(text: &str) -> Ia5String {
    Ia5String::try_from(text).unwrap()
}

/// Starts the service with one rule.
fn started(site: &Site, rule: &[(&str, &str)]) -> Instance {
    let path = |name| site.path(name).display().to_string();
    let ca = path("clients.pem");
    let own = [
        ("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"),
        ("CMGATE__TLS__CLIENT_CA", ca.as_str()),
        ("CMGATE__AUTH__CERTIFICATE__0__NAME", "rule"),
    ];
    let rule: Vec<(String, &str)> =
        rule.iter().map(|(key, value)| (format!("CMGATE__AUTH__CERTIFICATE__0__{key}"), *value)).collect();
    let rule: Vec<(&str, &str)> = rule.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    site.start(&[&own, &rule[..]].concat())
}

/// A client whose certificate has changes.
fn client(site: &Site, change: impl FnOnce(&mut CertificateParams)) -> TlsClient {
    TlsClient::known_as(&site.server, &site.clients.client_with(9, in_days(1), change))
}

/// Asserts that a caller is refused by a check, and returns the log line about it.
async fn assert_refused(client: &TlsClient, instance: &Instance, check: &str, what: impl Debug) -> String {
    let counter = format!("cmgate_calls_not_authenticated_total{{check=\"{check}\"}}");
    let before = sample(instance, &counter).await;
    let refused = client.grpc(instance.public).create_request(creation(enrollment(CARDS))).await.unwrap_err();
    assert_eq!(info(&refused).reason, "CLIENT_CERTIFICATE_UNKNOWN", "{what:?}");
    assert!(sample(instance, &counter).await > before, "{what:?} is counted as {check}");
    let log = instance.log();
    let line = log.lines().rfind(|line| line.contains("call not authenticated") && line.contains(check));
    line.unwrap_or_else(|| panic!("no line about {check}: {log}")).to_owned()
}

/// The user whom the service sees.
async fn user(client: &TlsClient, instance: &Instance) -> String {
    create(&mut client.grpc(instance.public), enrollment(CARDS)).await.originator
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sid_extension_identifies_an_account() {
    let site = Site::new();
    let instance = started(&site, &[("SOURCE", "sid-extension")]);
    let account = client(&site, |params| params.custom_extensions = vec![sid_extension(SID)]);
    assert_eq!(user(&account, &instance).await, UserId::of_subject("rule", SID).to_string());
    let line = assert_refused(&client(&site, |_| {}), &instance, "certificate_unmapped", "no extension").await;
    assert!(line.contains(r#"no rule of auth.certificate applies to the certificate of "CN=client 9""#), "{line}");
    let odd = client(&site, |params| params.custom_extensions = vec![sid_extension("S-1-x")]);
    let line = assert_refused(&odd, &instance, "certificate_malformed", "not a SID").await;
    assert!(line.contains("the SID extension of the certificate is malformed"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_name_identifies_an_account_in_any_case() {
    let site = Site::new();
    let instance = started(&site, &[("SOURCE", "upn")]);
    let named = |names: &[&str]| {
        client(&site, |params| params.subject_alt_names = names.iter().map(|name| upn(name)).collect())
    };
    let expected = UserId::of_subject("rule", "alice@corp.test").to_string();
    for name in ["alice@corp.test", "Alice@CORP.test"] {
        let account = named(&[name]);
        assert_eq!(user(&account, &instance).await, expected, "{name}");
        let mut callers = CallerServiceClient::new(account.channel(instance.public));
        let caller = callers.who_am_i(WhoAmIRequest {}).await.unwrap().into_inner().caller.unwrap();
        assert_eq!((caller.user, caller.upn.as_str()), (expected.clone(), "alice@corp.test"), "{name}");
        let shown = account.get(instance.public, "/v1/whoami").await.unwrap();
        let shown: Value = serde_json::from_str(&shown.body).unwrap();
        assert_eq!(shown["caller"]["upn"], "alice@corp.test", "{shown}");
    }
    let line = assert_refused(&named(&["a@corp.test", "b@corp.test"]), &instance, "certificate_several_names", 2).await;
    assert!(line.contains("the certificate has several user principal names"), "{line}");
    assert_refused(&named(&[]), &instance, "certificate_unmapped", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_alternative_name_identifies_its_caller() {
    let site = Site::new();
    let uri = "urn:corp:agent:7";
    let instance = started(
        &site,
        &[
            ("SOURCE", "san"),
            ("CALLERS__0__VALUE", "agent.corp.test"),
            ("CALLERS__0__USER", AGENT),
            ("CALLERS__1__VALUE", uri),
        ],
    );
    let dns = |name: &str| vec![SanType::DnsName(text(name))];
    let with = |names: Vec<SanType>| client(&site, |params| params.subject_alt_names = names);
    assert_eq!(user(&with(dns("Agent.corp.test")), &instance).await, AGENT);
    let by_uri = with(vec![SanType::URI(text(uri))]);
    assert_eq!(user(&by_uri, &instance).await, UserId::of_subject("rule", uri).to_string());
    assert_refused(&with(dns("agent.corp.test.evil")), &instance, "certificate_unmapped", "another name").await;
    let both = with([dns("agent.corp.test"), vec![SanType::URI(text(uri))]].concat());
    let line = assert_refused(&both, &instance, "certificate_ambiguous", "two listed names").await;
    assert!(line.contains("two entries of auth.certificate \"rule\" apply"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_subject_identifies_its_caller_only_as_a_whole() {
    let site = Site::new();
    let subject = "CN=client 9,O=Corp";
    let instance = started(&site, &[("SOURCE", "dn"), ("CALLERS__0__VALUE", subject), ("CALLERS__0__USER", AGENT)]);
    let of = |organization: &str| {
        client(&site, |params| {
            params.distinguished_name.remove(DnType::CommonName);
            params.distinguished_name.push(DnType::OrganizationName, organization);
            params.distinguished_name.push(DnType::CommonName, "client 9");
        })
    };
    assert_eq!(user(&of("Corp"), &instance).await, AGENT);
    let line = assert_refused(&of("Corp2"), &instance, "certificate_unmapped", "another organization").await;
    assert!(line.contains("CN=client 9,O=Corp2"), "{line}");
    assert_refused(&client(&site, |_| {}), &instance, "certificate_unmapped", "a part").await;
}
