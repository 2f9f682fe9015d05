//! What the trusted proxy may say, on which connections, and what is refused or dropped.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use metrics_exporter_prometheus::PrometheusBuilder;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use sha2::{Digest, Sha256};
use uuid::uuid;

use super::*;
use crate::domain::{Groups, ProofMethod, Sid, UserId};
use crate::http::auth::certificate::CaFilter;
use crate::http::server::LocalSocket;
use crate::runtime::tls::{Authority, PeerCertificate};

const PROXY: &str = "spiffe://corp.test/edge";

fn all_headers() -> IdentityHeaders {
    let optional = |name| Some(HeaderName::from_static(name));
    IdentityHeaders { name: optional("x-name"), sid: optional("x-sid"), groups: optional("x-groups"), ..only_subject() }
}

fn only_subject() -> IdentityHeaders {
    let subject = HeaderName::from_static("x-forwarded-user");
    IdentityHeaders { subject, uuid: None, name: None, sid: None, groups: None }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    });
    let mut headers = HeaderMap::new();
    pairs.for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

fn sid(text: &str) -> Sid {
    Sid::parse(text).unwrap()
}

#[test]
fn every_header_describes_the_caller() {
    let caller = |pairs: &[(&str, &str)]| all_headers().caller(&headers(pairs)).unwrap().unwrap();
    let all = [
        ("X-Forwarded-User", "alice"),
        ("X-Name", "Alice Ärmel"),
        ("X-Sid", "S-1-5-21-1-2-3-1105"),
        ("X-Groups", "S-1-5-21-1-2-3-513, S-1-5-32-545"),
    ];
    let alice = caller(&all);
    assert_eq!((alice.user, &*alice.name), (UserId::of_subject("proxy", "alice"), "Alice Ärmel"));
    assert_eq!(alice.sid, Some(sid("S-1-5-21-1-2-3-1105")));
    assert_eq!(alice.groups, Groups::Known(vec![sid("S-1-5-21-1-2-3-513"), sid("S-1-5-32-545")]));
    assert_eq!((alice.proof.method, alice.proof.entry.as_deref()), (ProofMethod::Proxy, Some("proxy")));

    let bare = caller(&all[..1]);
    assert_eq!((&*bare.name, bare.sid, bare.groups), ("alice", None, Groups::Unknown));
    let empty = caller(&[("X-Forwarded-User", "alice"), ("X-Name", ""), ("X-Sid", " "), ("X-Groups", "")]);
    assert_eq!((&*empty.name, empty.sid, empty.groups), ("alice", None, Groups::Known(Vec::new())));
    let named = caller(&[("X-Forwarded-User", "alice"), ("X-Groups", "S-1-5-32-545,admins")]);
    assert_eq!(named.groups, Groups::Unknown, "a name is no SID, so the list is not complete");
    let unmapped = only_subject().caller(&headers(&all)).unwrap().unwrap();
    assert_eq!((unmapped.sid, unmapped.groups), (None, Groups::Known(Vec::new())));
    assert_eq!(all_headers().caller(&HeaderMap::new()), Ok(None));
}

#[test]
fn a_uuid_is_the_user() {
    let by_uuid = IdentityHeaders { uuid: Some(HeaderName::from_static("x-user-id")), ..only_subject() };
    let uuid = uuid!("6f1c1a52-3f0e-4c1e-9d0b-0a4f7d1f2a11");
    let of = |pairs: &[(&str, &str)]| by_uuid.caller(&headers(pairs));
    let id = uuid.to_string();
    let caller = of(&[("x-user-id", &id)]).unwrap().unwrap();
    assert_eq!((caller.user, caller.name.as_str()), (UserId::new(uuid), id.as_str()));
    assert_eq!(of(&[("x-user-id", &id), ("x-forwarded-user", "alice")]).unwrap().unwrap().name, "alice");
    let made = UserId::of_subject("idp", "alice").to_string();
    for (pairs, check) in [
        (&[("x-forwarded-user", "alice")][..], "identity_missing"),
        (&[("x-user-id", "")], "identity_missing"),
        (&[("x-user-id", "alice")], "identity_malformed"),
        (&[("x-user-id", "00000000-0000-0000-0000-000000000000")], "identity_malformed"),
        (&[("x-user-id", &made)], "identity_malformed"),
    ] {
        assert_eq!(of(pairs).unwrap_err().check(), check, "{pairs:?}");
    }
}

#[test]
fn what_does_not_identify_one_caller_is_refused() {
    const USER: (&str, &str) = ("x-forwarded-user", "alice");
    let (many, most) = (vec!["S-1-1-0"; 1_025].join(","), vec!["S-1-1-0"; 1_024].join(","));
    let long = "x".repeat(2_049);
    for (pairs, check) in [
        (&[USER, USER][..], "identity_repeated"),
        (&[USER, ("X-Forwarded-User", "bob")], "identity_repeated"),
        (&[USER, ("x-groups", "S-1-1-0"), ("x-groups", "S-1-5-32-544")], "identity_repeated"),
        (&[USER, ("x_forwarded_user", "bob")], "identity_variant"),
        (&[("X-Forwarded_User", "bob")], "identity_variant"),
        (&[USER, ("x_groups", "S-1-5-32-544")], "identity_variant"),
        (&[USER, ("authorization", "Bearer a.b.c")], "identity_and_token"),
        (&[USER, ("authorization", "")], "identity_and_token"),
        (&[("x-groups", "S-1-5-32-544")], "identity_missing"),
        (&[("x-forwarded-user", "")], "identity_missing"),
        (&[("x-forwarded-user", "\t ")], "identity_missing"),
        (&[("x-forwarded-user", &long)], "identity_malformed"),
        (&[USER, ("x-sid", "S-1-5-x")], "identity_malformed"),
        (&[USER, ("x-groups", "ä")], "identity_malformed"),
        (&[USER, ("x-groups", &many)], "identity_groups"),
    ] {
        let refused = all_headers().caller(&headers(pairs)).unwrap_err();
        assert_eq!(refused.check(), check, "{pairs:?}");
    }
    let latin1 = HeaderMap::from_iter([(only_subject().subject, HeaderValue::from_bytes(b"\xe4").unwrap())]);
    assert_eq!(all_headers().caller(&latin1).unwrap_err().check(), "identity_malformed");
    let full = all_headers().caller(&headers(&[USER, ("x-groups", &most)])).unwrap().unwrap();
    assert!(matches!(full.groups, Groups::Known(groups) if groups.len() == 1_024));
}

/// A certificate with a SPIFFE ID, which a CA has issued.
fn peer(id: &str, ca: u8) -> (PeerCertificate, [u8; 32]) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id).unwrap())];
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "edge");
    params.distinguished_name = subject;
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let authority = Authority { name: format!("CN=CA {ca}"), key_hash: [ca; 32], files: Vec::new() };
    let hash = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key)).into();
    (PeerCertificate::verified(&der, authority).unwrap(), hash)
}

#[test]
fn the_headers_are_believed_on_connections_of_the_proxy_only() {
    let (own, own_key) = peer(PROXY, 1);
    let (other, _) = peer("spiffe://corp.test/other", 1);
    let (foreign, _) = peer(PROXY, 2);
    let certificate = |name| Some(ProxyCertificate { ca: CaFilter::KeyHash([1; 32]), name });
    let identify = |certificate: &Option<ProxyCertificate>, peer: Option<&PeerCertificate>, is_local: bool| {
        let proxy = TrustedProxy::new(ProxySettings { certificate: certificate.clone(), headers: only_subject() });
        let mut request = Request::new(());
        *request.headers_mut() =
            headers(&[("x-forwarded-user", "alice"), ("x_forwarded_user", "bob"), ("accept", "*/*")]);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer.clone());
        }
        if is_local {
            request.extensions_mut().insert(LocalSocket);
        }
        let (mut parts, ()) = request.into_parts();
        // Twice, so that the kept result is used.
        let _ = proxy.identify(&mut parts.clone());
        let identified = proxy.identify(&mut parts);
        (identified, parts.headers.len())
    };
    let believed = |(identified, left): (Result<Identified, IdentityRejection>, usize)| match identified {
        // The variant is refused, which shows that the headers are read.
        Err(IdentityRejection::Variant { .. }) => true,
        Ok(Identified::Elsewhere) => {
            assert_eq!(left, 1, "the identity headers are dropped");
            false
        }
        other => panic!("{other:?}"),
    };
    for name in [ProxyName::Spiffe(PROXY.to_owned()), ProxyName::KeyHash(own_key)] {
        let settings = certificate(name);
        assert!(believed(identify(&settings, Some(&own), false)), "{settings:?}");
        assert!(!believed(identify(&settings, Some(&other), false)), "{settings:?}");
        assert!(!believed(identify(&settings, Some(&foreign), false)), "{settings:?}");
        assert!(!believed(identify(&settings, None, false)), "{settings:?}");
        assert!(believed(identify(&settings, None, true)), "{settings:?}");
    }
    let by_subject = certificate(ProxyName::Dn("CN=edge".to_owned()));
    assert!(
        believed(identify(&by_subject, Some(&own), false)) && !believed(identify(&by_subject, Some(&foreign), false))
    );
    let another = certificate(ProxyName::Dn("CN=edge,O=x".to_owned()));
    assert!(!believed(identify(&another, Some(&own), false)));
    assert!(!believed(identify(&None, Some(&own), false)) && believed(identify(&None, None, true)));
}

#[test]
fn dropped_headers_are_counted_per_call() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let proxy = TrustedProxy::new(ProxySettings { certificate: None, headers: all_headers() });
    metrics::with_local_recorder(&recorder, || {
        for pairs in [&[("x-forwarded-user", "a"), ("x-sid", "b")][..], &[("X_Sid", "b")], &[("accept", "*/*")]] {
            let mut parts = Request::new(()).into_parts().0;
            parts.headers = headers(pairs);
            parts.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
            assert_eq!(proxy.identify(&mut parts), Ok(Identified::Elsewhere));
            assert!(parts.headers.contains_key(AUTHORIZATION));
        }
    });
    let text = recorder.handle().render();
    assert!(text.contains("cmgate_identity_headers_dropped_total 2"), "{text}");
}

/// Operators look up the name of a check there.
#[test]
fn the_documentation_lists_every_check() {
    let page = include_str!("../../../../docs/proxy.md");
    let header = || HeaderName::from_static("x-user");
    for rejection in [
        IdentityRejection::Variant { found: header(), header: header() },
        IdentityRejection::Repeated { header: header() },
        IdentityRejection::BesideAuthorization,
        IdentityRejection::Missing { header: header() },
        IdentityRejection::Malformed { header: header(), problem: "is long" },
        IdentityRejection::Groups { header: header(), limit: 1 },
    ] {
        assert!(page.contains(&format!("\n| `{}` |", rejection.check())), "{rejection}");
    }
}
