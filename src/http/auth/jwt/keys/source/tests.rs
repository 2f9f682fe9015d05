//! Places of key sets, and the discovery documents that lead to them.

use std::fs;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::fixture::{Origin, Reply, SigningKey, key_set};
use super::*;

const DOCUMENT: &str = "/idp/.well-known/openid-configuration";

fn source(location: Location) -> Source {
    Source::new(&KeySource { location, key_use: KeyUse::Sig }).unwrap()
}

/// The source of an issuer that is discovered at a base URL.
fn discovered(base: String, issuers: &[&str]) -> Source {
    let issuers = issuers.iter().map(|issuer| (*issuer).to_owned()).collect();
    source(Location::Discovery { base, issuers, ca: None })
}

/// The name of the error, or `ok`.
async fn outcome(source: &Source) -> &'static str {
    source.load().await.map_or_else(|error| error.result(), |_| "ok")
}

#[tokio::test]
async fn keys_are_read_from_a_url_and_from_a_file() {
    let (origin, key) = (Origin::start().await, SigningKey::new("one"));
    let text = key_set(&[&key]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    fs::write(&path, &text).unwrap();
    origin.put("/keys", Reply::Cached(text.clone(), "max-age=60"));
    let url = source(Location::Uri { url: origin.url("/keys"), ca: None });
    let file = source(Location::File(path.clone()));
    assert_eq!((url.is_local(), file.is_local()), (false, true));
    for (source, max_age) in [(&url, Some(Duration::from_mins(1))), (&file, None)] {
        let loaded = source.load().await.unwrap();
        assert!(loaded.keys.knows(Some("one")) && !loaded.keys.knows(Some("two")));
        assert_eq!((loaded.json, loaded.max_age), (text.clone().into_bytes(), max_age));
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(outcome(&file).await, "file");
}

#[tokio::test]
async fn a_set_without_a_usable_key_is_refused() {
    let origin = Origin::start().await;
    let url = source(Location::Uri { url: origin.url("/keys"), ca: None });
    let mut encryption = SigningKey::new("one").jwk();
    encryption["use"] = json!("enc");
    for (text, expected) in [
        ("", "key_set"),
        ("[]", "key_set"),
        ("{\"keys\":[]}", "no_keys"),
        ("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "no_keys"),
        (&json!({"keys": [encryption]}).to_string(), "no_keys"),
    ] {
        origin.put("/keys", Reply::Text(text.to_owned()));
        assert_eq!(outcome(&url).await, expected, "{text}");
    }
}

#[tokio::test]
async fn discovery_leads_to_the_keys_of_a_listed_issuer() {
    let origin = Origin::start().await;
    origin.put("/keys", Reply::Text(key_set(&[&SigningKey::new("one")])));
    let (base, keys) = (origin.url("/idp"), origin.url("/keys"));
    let put = |document: Value| origin.put(DOCUMENT, Reply::Text(document.to_string()));

    put(json!({"issuer": "https://login.test", "jwks_uri": keys, "more": [1]}));
    for base in [base.clone(), format!("{base}/"), origin.url(DOCUMENT)] {
        assert_eq!(outcome(&discovered(base, &["https://other.test", "https://login.test"])).await, "ok");
    }
    for other in ["https://login.test/", "https://LOGIN.test", "https://other.test"] {
        assert_eq!(outcome(&discovered(base.clone(), &[other])).await, "wrong_issuer", "{other}");
    }

    // ADFS: the document describes the issuer of ID tokens, and names that of access tokens.
    let trust = "http://fs.corp.test/adfs/services/trust";
    put(json!({"issuer": base, "access_token_issuer": trust, "jwks_uri": keys}));
    assert_eq!(outcome(&discovered(base.clone(), &[trust])).await, "ok");
    assert_eq!(outcome(&discovered(base.clone(), &["http://fs.corp.test/other"])).await, "wrong_issuer");
    put(json!({"issuer": "https://other.test", "access_token_issuer": trust, "jwks_uri": keys}));
    assert_eq!(outcome(&discovered(base.clone(), &[trust])).await, "wrong_issuer", "the document is another's");
}

#[tokio::test]
async fn broken_discovery_documents_are_refused() {
    let origin = Origin::start().await;
    let issuer = "https://login.test";
    let source = discovered(origin.url("/idp"), &[issuer]);
    let plain = origin.url("/keys").replace("127.0.0.1", "192.0.2.1");
    for (reply, expected) in [
        (Reply::Text("<html>".to_owned()), "discovery"),
        (Reply::Text(json!({"issuer": issuer}).to_string()), "discovery"),
        (Reply::Text(json!({"issuer": [issuer], "jwks_uri": "https://x"}).to_string()), "discovery"),
        (Reply::Text(json!({"issuer": issuer, "jwks_uri": plain}).to_string()), "unsafe_uri"),
        (Reply::Text(json!({"issuer": issuer, "jwks_uri": "file:///etc/passwd"}).to_string()), "unsafe_uri"),
        (Reply::Text(json!({"issuer": issuer, "jwks_uri": "/keys"}).to_string()), "unsafe_uri"),
        (Reply::Status(StatusCode::INTERNAL_SERVER_ERROR), "status"),
        (Reply::Redirect(origin.url("/idp2")), "status"),
        (Reply::Spaces(10 << 20), "too_large"),
        (Reply::Cut, "broken"),
    ] {
        origin.put(DOCUMENT, reply);
        assert_eq!(outcome(&source).await, expected);
    }
}

#[test]
fn keys_are_read_over_https_or_from_this_machine() {
    for (document, keys, expected) in [
        ("https://a/d", "https://a/k", true),
        ("https://a/d", "https://b/k", true),
        ("http://127.0.0.1:1/d", "https://b/k", true),
        ("http://127.0.0.1:1/d", "http://127.0.0.1:2/k", true),
        ("http://localhost/d", "http://[::1]/k", true),
        ("https://a/d", "http://a/k", false),
        ("https://a/d", "http://127.0.0.1/k", false),
        ("http://127.0.0.1:1/d", "http://10.0.0.1/k", false),
        ("http://127.0.0.1:1/d", "http://127.0.0.1.a/k", false),
        ("http://127.0.0.1:1/d", "ftp://127.0.0.1/k", false),
        ("http://127.0.0.1:1/d", "/k", false),
    ] {
        assert_eq!(is_safe(&keys.parse().unwrap(), &document.parse().unwrap()), expected, "{document} {keys}");
    }
}
