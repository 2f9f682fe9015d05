//! What rules make of certificates of every kind.

use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, KeyPair, OtherNameValue, SanType};

use super::{CaFilter, CertificateRejection, Contents, KnownCaller, Rule, Rules, Source};
use crate::domain::{Caller, Groups, ProofMethod, Sid, UserId};
use crate::runtime::tls::{Authority, PeerCertificate};

const SID: &str = "S-1-5-21-2127521184-1604012920-1887927527-1105";
const SPIFFE: &str = "spiffe://corp.test/ns/prod/sa/issuer";
const UPN: &str = "Alice@corp.test";

fn uri(uri: &str) -> SanType {
    SanType::URI(Ia5String::try_from(uri).unwrap())
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(name).unwrap())
}

fn upn(name: &str) -> SanType {
    SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], OtherNameValue::Utf8String(name.to_owned())))
}

/// A DER element of less than 128 bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

/// The SID extension of AD CS with this text.
fn sid_extension(sid: &str) -> CustomExtension {
    let object_sid = element(6, &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 25, 2, 1]);
    let value = element(0xa0, &element(4, sid.as_bytes()));
    let content = element(0x30, &element(0xa0, &[object_sid, value].concat()));
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 311, 25, 2], content)
}

/// A certificate with these alternative names and extensions.
fn certificate(names: Vec<SanType>, extensions: Vec<CustomExtension>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.custom_extensions = extensions;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "Corp");
    subject.push(DnType::CommonName, "agent");
    params.distinguished_name = subject;
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

/// The certificate as the server presents it, issued by this CA.
fn peer(der: &[u8], ca: u8) -> PeerCertificate {
    let authority =
        Authority { name: format!("CN=CA {ca}"), key_hash: [ca; 32], files: vec![format!("ca-{ca}.pem").into()] };
    PeerCertificate::verified(der, authority).unwrap()
}

fn rule(name: &str, source: Source) -> Rule {
    Rule { name: Arc::from(name), ca: CaFilter::Any, source, callers: Vec::new() }
}

fn spiffe() -> Source {
    Source::Spiffe { trust_domain: "corp.test".to_owned() }
}

fn known(value: &str) -> KnownCaller {
    KnownCaller { value: value.to_owned(), user: None, sid: None, name: None, groups: Vec::new() }
}

fn caller_of(rules: &[Rule], der: &[u8]) -> Result<Caller, CertificateRejection> {
    Rules(rules.to_vec()).caller(&peer(der, 1))
}

#[test]
fn each_source_is_read() {
    let all = || certificate(vec![uri(SPIFFE), dns("Host.Corp.Test"), upn(UPN)], vec![sid_extension(SID)]);
    let contents = Contents::read(&all()).unwrap();
    assert_eq!(contents.subject, "CN=agent,O=Corp");
    assert_eq!(
        (&contents.uris[..], &contents.dns_names[..]),
        (&[SPIFFE.to_owned()][..], &["host.corp.test".to_owned()][..])
    );
    assert_eq!((&contents.principal_names[..], contents.sid), (&["alice@corp.test".to_owned()][..], Sid::parse(SID)));

    let sid = Sid::parse(SID);
    for (source, name, sid, groups) in [
        (spiffe(), SPIFFE, None, Groups::Known(Vec::new())),
        (Source::SidExtension, SID, sid, Groups::Unknown),
        (Source::Upn, "alice@corp.test", None, Groups::Unknown),
    ] {
        let caller = caller_of(&[rule("ad", source)], &all()).unwrap();
        assert_eq!((caller.user, &*caller.name), (UserId::of_subject("ad", name), name));
        assert_eq!((caller.sid, caller.groups), (sid, groups));
        assert_eq!((caller.proof.method, caller.proof.entry.as_deref()), (ProofMethod::Certificate, Some("ad")));
        assert!(caller.proof.expires_at.is_some());
    }
}

#[test]
fn a_sid_in_a_uri_counts_for_its_own_source_only() {
    let sid_uri = |sid: &str| uri(&format!("tag:microsoft.com,2022-09-14:sid:{sid}"));
    let of =
        |names: Vec<SanType>, extensions| caller_of(&[rule("ad", Source::SidUri)], &certificate(names, extensions));
    let caller = of(vec![sid_uri(SID), uri("https://corp.test/")], vec![sid_extension(SID)]).unwrap();
    assert_eq!(
        (caller.user, caller.sid, caller.groups),
        (UserId::of_subject("ad", SID), Sid::parse(SID), Groups::Unknown)
    );
    let check = |caller: Result<Caller, CertificateRejection>| caller.unwrap_err().check();
    assert_eq!(check(of(vec![uri("tag:microsoft.com,2022-09-15:sid:S-1-5-21-1")], Vec::new())), "certificate_unmapped");
    assert_eq!(check(of(vec![dns("corp.test")], vec![sid_extension(SID)])), "certificate_unmapped");
    assert_eq!(check(of(vec![sid_uri("S-1-5-21-x")], Vec::new())), "certificate_malformed");
    assert_eq!(check(of(vec![sid_uri(SID), sid_uri(SID)], Vec::new())), "certificate_several_names");
    let differs = of(vec![sid_uri("S-1-5-21-1-2-3-500")], vec![sid_extension(SID)]);
    assert_eq!(check(differs), "certificate_several_names", "the CA contradicts the request");

    let chosen = certificate(vec![sid_uri("S-1-5-21-1-2-3-500")], vec![sid_extension(SID)]);
    let caller = caller_of(&[rule("ad", Source::SidExtension)], &chosen).unwrap();
    assert_eq!(caller.sid, Sid::parse(SID), "a name that the caller may have chosen does not replace the extension");
}

#[test]
fn a_listed_caller_is_taken_as_listed_and_others_are_strangers() {
    let user = UserId::of_subject("x", "y");
    let group = Sid::parse("S-1-5-21-1-2-3-513").unwrap();
    let listed = |value: &str| KnownCaller {
        user: Some(user),
        sid: Sid::parse("S-1-5-21-1-2-3-500"),
        name: Some("the agent".to_owned()),
        groups: vec![group.clone()],
        ..known(value)
    };
    let der = || certificate(vec![uri(SPIFFE), dns("Host.Corp.Test")], Vec::new());
    for (source, value) in
        [(Source::San, "host.corp.test"), (Source::San, SPIFFE), (Source::Dn, "CN=agent,O=Corp"), (spiffe(), SPIFFE)]
    {
        let with = |value| Rule { callers: vec![known("other"), listed(value)], ..rule("r", source.clone()) };
        let caller = caller_of(&[with(value)], &der()).unwrap();
        assert_eq!((caller.user, &*caller.name), (user, "the agent"), "{source:?}");
        assert_eq!((caller.sid, caller.groups), (listed("").sid, Groups::Known(vec![group.clone()])));
        for value in ["corp.test", "HOST.CORP.TEST", "O=Corp,CN=agent", "spiffe://corp.test/ns/prod/sa/issue"] {
            let stranger = caller_of(&[with(value)], &der()).unwrap_err();
            assert_eq!(stranger.check(), "certificate_unmapped", "{source:?} {value}");
        }
    }
}

#[test]
fn a_rule_applies_to_the_certificates_of_its_cas_only() {
    let of = |ca: CaFilter| Rules(vec![Rule { ca, ..rule("r", spiffe()) }]);
    let der = certificate(vec![uri(SPIFFE)], Vec::new());
    for (ca, accepts) in [
        (CaFilter::Any, [true, true]),
        (CaFilter::KeyHash([1; 32]), [true, false]),
        (CaFilter::File("ca-2.pem".into()), [false, true]),
        (CaFilter::File("ca-3.pem".into()), [false, false]),
    ] {
        let accepted = [1, 2].map(|issuer| of(ca.clone()).caller(&peer(&der, issuer)).is_ok());
        assert_eq!(accepted, accepts, "{ca:?}");
    }
    // Two CAs with the same names are two rules.
    let rules = Rules(vec![
        Rule { ca: CaFilter::KeyHash([1; 32]), ..rule("one", spiffe()) },
        Rule { ca: CaFilter::KeyHash([2; 32]), ..rule("two", spiffe()) },
    ]);
    let user = |ca| rules.caller(&peer(&der, ca)).unwrap().user;
    assert_eq!((user(1), user(2)), (UserId::of_subject("one", SPIFFE), UserId::of_subject("two", SPIFFE)));
}

#[test]
fn what_identifies_two_callers_identifies_none() {
    let two_uris = certificate(vec![uri(SPIFFE), uri("https://corp.test/")], Vec::new());
    let several = caller_of(&[rule("r", spiffe())], &two_uris).unwrap_err();
    assert_eq!(several, CertificateRejection::Several { what: "URIs" });
    let two_upns = certificate(vec![upn("a@corp.test"), upn("b@corp.test")], Vec::new());
    let several = caller_of(&[rule("r", Source::Upn)], &two_upns).unwrap_err();
    assert_eq!(several, CertificateRejection::Several { what: "user principal names" });

    let table = Rule { callers: vec![known(SPIFFE), known("https://corp.test/")], ..rule("r", Source::San) };
    assert_eq!(caller_of(&[table], &two_uris).unwrap_err().check(), "certificate_ambiguous");
    let rules = [rule("a", spiffe()), rule("b", Source::SidExtension)];
    let both = certificate(vec![uri(SPIFFE)], vec![sid_extension(SID)]);
    let refused = caller_of(&rules, &both).unwrap_err();
    assert_eq!(refused, CertificateRejection::AmbiguousRule { first: Arc::from("a"), second: Arc::from("b") });
    assert!(caller_of(&rules, &certificate(vec![uri(SPIFFE)], Vec::new())).is_ok());
}

#[test]
fn only_ids_of_the_trust_domain_count() {
    for id in [
        "spiffe://corp.test",
        "spiffe://corp.test/",
        "spiffe://corp.test/a/",
        "spiffe://corp.test//a",
        "spiffe://corp.test/../a",
        "spiffe://corp.test/a?b",
        "spiffe://corp.test/a%2fb",
        "spiffe://corp.test.evil/a",
        "spiffe://evil/corp.test/a",
        "spiffe://u@corp.test/a",
        "SPIFFE://corp.test/a",
        "https://corp.test/a",
        &format!("spiffe://corp.test/{}", "a".repeat(2_048)),
    ] {
        let der = certificate(vec![uri(id)], Vec::new());
        assert_eq!(caller_of(&[rule("r", spiffe())], &der).unwrap_err().check(), "certificate_unmapped", "{id}");
    }
}

#[test]
fn a_malformed_extension_is_refused_even_if_another_rule_applies() {
    let rules = [rule("a", spiffe()), rule("b", Source::SidExtension)];
    let broken = |content: Vec<u8>| CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 311, 25, 2], content);
    for extension in [
        sid_extension("S-1-5-21-x"),
        sid_extension(""),
        broken(Vec::new()),
        broken(vec![0x30, 0x80]),
        broken(element(0x30, &element(0xa0, &element(6, &[0x2b, 6])))),
        broken([sid_extension(SID).content(), &[0]].concat()),
    ] {
        let refused = caller_of(&rules, &certificate(vec![uri(SPIFFE)], vec![extension])).unwrap_err();
        assert_eq!(refused, CertificateRejection::Malformed { part: "SID extension" });
    }
    let twice = vec![sid_extension(SID), sid_extension(SID)];
    assert_eq!(caller_of(&rules, &certificate(Vec::new(), twice)).unwrap_err().check(), "certificate_malformed");
    let bare = caller_of(&rules, &certificate(Vec::new(), Vec::new())).unwrap_err();
    let unmapped = CertificateRejection::Unmapped { subject: "CN=agent,O=Corp".to_owned(), ca: "CN=CA 1".to_owned() };
    assert_eq!(bare, unmapped);
    assert_eq!(Contents::read(b"no certificate").unwrap_err(), CertificateRejection::Malformed { part: "encoding" });
}

#[test]
fn a_distinguished_name_has_one_text() {
    let subject = |parts: Vec<(DnType, DnValue)>| {
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        for (kind, value) in parts {
            name.push(kind, value);
        }
        params.distinguished_name = name;
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        Contents::read(&der).unwrap().subject
    };
    let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
    assert_eq!(subject(Vec::new()), "");
    let cn = |text: &str| subject(vec![(DnType::CommonName, utf8(text))]);
    // The examples of RFC 4514, 4, and names that try to look like others.
    assert_eq!(cn("James \"Jim\" Smith, III"), "CN=James \\\"Jim\\\" Smith\\, III");
    assert_eq!(cn("Before\rAfter"), "CN=Before\\0dAfter");
    assert_eq!(cn("Lu\u{10d}i\u{107}"), "CN=Lu\u{10d}i\u{107}");
    assert_eq!(cn("agent,O=Corp"), "CN=agent\\,O=Corp");
    assert_eq!(cn(" #a "), "CN=\\ #a\\ ");
    assert_eq!(cn("#a+b;c<d>e\\"), "CN=\\#a\\+b\\;c\\<d\\>e\\\\");
    assert_eq!(cn(" "), "CN=\\ ");
    let typed = subject(vec![
        (DnType::from_oid(&[0, 9, 2342, 19_200_300, 100, 1, 25]), utf8("test")),
        (DnType::from_oid(&[1, 3, 6, 1, 4, 1, 1466, 0]), utf8("Hi")),
        (DnType::OrganizationName, utf8("Corp")),
    ]);
    assert_eq!(typed, "O=Corp,1.3.6.1.4.1.1466.0=#0c024869,DC=test");
}
