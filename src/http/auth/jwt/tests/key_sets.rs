//! Key sets as issuers publish them, right and wrong.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::signer::{SigningKey, encode};
use super::{WORLD, at, draft, outcome};
use crate::http::auth::jwt::{KeySet, KeySetError, Token, Unusable};
use crate::runtime::jwt::KeyUse;

/// The public RSA key with some members replaced; null removes a member.
fn rsa_with(changes: &Value) -> Value {
    with(&WORLD.rsa, changes)
}

fn with(key: &SigningKey, changes: &Value) -> Value {
    let mut jwk = key.jwk();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    jwk
}

fn parse(keys: &[Value], key_use: KeyUse) -> KeySet {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), key_use).unwrap()
}

/// The result of checking a good RS256 token with these keys.
fn outcome_with(keys: &[Value]) -> &'static str {
    let token = draft().sign(&WORLD.rsa);
    outcome(&Token::read(&token, &WORLD.issuers).unwrap().verify(&parse(keys, KeyUse::Sig), at(super::NOW)))
}

/// A modulus with so many bits.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] >>= (8 - bits % 8) % 8;
    encode(bytes)
}

#[test]
fn each_bad_key_is_skipped_for_its_reason() {
    let secret = json!({"kty": "oct", "kid": "a-rsa", "k": encode([7; 32]), "alg": "HS256"});
    let certificate_only = json!({"kty": "RSA", "kid": "a-rsa", "use": "sig", "x5c": ["MIIB"]});
    for (name, key, reason) in [
        ("for encryption", rsa_with(&json!({"use": "enc", "alg": "RSA-OAEP"})), Unusable::Use),
        ("of an unknown use", rsa_with(&json!({"use": "jwt-svid"})), Unusable::Use),
        ("use in upper case", rsa_with(&json!({"use": "SIG"})), Unusable::Use),
        ("use is a number", rsa_with(&json!({"use": 1})), Unusable::Malformed),
        ("key_ops without verify", rsa_with(&json!({"key_ops": ["encrypt"]})), Unusable::Operations),
        ("key_ops empty", rsa_with(&json!({"key_ops": []})), Unusable::Operations),
        ("for encryption by alg alone", rsa_with(&json!({"use": null, "alg": "RSA-OAEP"})), Unusable::Algorithm),
        ("alg unknown", rsa_with(&json!({"alg": "RS1"})), Unusable::Algorithm),
        ("alg of another type", rsa_with(&json!({"alg": "ES256"})), Unusable::Algorithm),
        ("alg symmetric", rsa_with(&json!({"alg": "HS256"})), Unusable::Algorithm),
        ("symmetric", secret, Unusable::Symmetric),
        ("kty unknown", rsa_with(&json!({"kty": "AKP"})), Unusable::Kind),
        ("kty in lower case", rsa_with(&json!({"kty": "rsa"})), Unusable::Kind),
        ("kty missing", rsa_with(&json!({"kty": null})), Unusable::Kind),
        ("n missing", certificate_only, Unusable::Kind),
        ("crv unknown", with(&WORLD.ec, &json!({"crv": "secp256k1"})), Unusable::Kind),
        ("crv P-521", with(&WORLD.ec, &json!({"crv": "P-521"})), Unusable::Kind),
        ("crv Ed25519 of kty EC", with(&WORLD.ec, &json!({"crv": "Ed25519"})), Unusable::Kind),
        ("crv Ed448", with(&WORLD.ed, &json!({"crv": "Ed448"})), Unusable::Kind),
        ("crv P-256 of kty OKP", with(&WORLD.ed, &json!({"crv": "P-256"})), Unusable::Kind),
        ("crv of the other size", with(&WORLD.ec, &json!({"crv": "P-384", "alg": null})), Unusable::Malformed),
        ("x too short", with(&WORLD.ec, &json!({"x": encode([1; 31])})), Unusable::Malformed),
        ("x of Ed25519 too short", with(&WORLD.ed, &json!({"x": encode([1; 16])})), Unusable::Malformed),
        ("x of Ed25519 empty", with(&WORLD.ed, &json!({"x": ""})), Unusable::Malformed),
        ("x not base64", with(&WORLD.ed, &json!({"x": "=".repeat(43)})), Unusable::Malformed),
        ("n of 1024 bits", rsa_with(&json!({"n": modulus(1024)})), Unusable::RsaSize),
        ("n of 2047 bits", rsa_with(&json!({"n": modulus(2047)})), Unusable::RsaSize),
        ("n of 8193 bits", rsa_with(&json!({"n": modulus(8193)})), Unusable::RsaSize),
        ("n of 100 kbit", rsa_with(&json!({"n": modulus(100_000)})), Unusable::RsaSize),
        ("n empty", rsa_with(&json!({"n": ""})), Unusable::Malformed),
        ("n with leading zeros", rsa_with(&json!({"n": encode([0; 256])})), Unusable::Malformed),
        ("n with padding", rsa_with(&json!({"n": format!("{}=", modulus(2048))})), Unusable::Malformed),
        ("n is a number", rsa_with(&json!({"n": 7})), Unusable::Kind),
        ("e = 1", rsa_with(&json!({"e": encode([1])})), Unusable::RsaExponent),
        ("e = 2", rsa_with(&json!({"e": encode([2])})), Unusable::RsaExponent),
        ("e of 2^33+1", rsa_with(&json!({"e": encode([2, 0, 0, 0, 1])})), Unusable::RsaExponent),
        ("e of 300 bytes", rsa_with(&json!({"e": encode([1; 300])})), Unusable::RsaExponent),
        ("e empty", rsa_with(&json!({"e": ""})), Unusable::Malformed),
        ("e = 0", rsa_with(&json!({"e": encode([0])})), Unusable::Malformed),
        ("kid is a number", rsa_with(&json!({"kid": 1})), Unusable::Malformed),
        ("not an object", json!(7), Unusable::Malformed),
        ("null", json!(null), Unusable::Malformed),
    ] {
        let set = parse(&[key.clone(), WORLD.ec.jwk()], KeyUse::Sig);
        let reasons: Vec<_> = set.skipped().map(|(_, reason)| reason).collect();
        assert_eq!((reasons, set.usable()), (vec![reason], 1), "{name}");
        let named = key.get("kid").is_some_and(|kid| kid == "a-rsa");
        assert_eq!(outcome_with(&[key]), if named { "key_unfit" } else { "key_unknown" }, "{name}");
    }
}

#[test]
fn keys_without_restrictions_are_used() {
    for (name, key) in [
        ("no use", rsa_with(&json!({"use": null}))),
        ("no alg", rsa_with(&json!({"alg": null}))),
        ("key_ops verify", rsa_with(&json!({"key_ops": ["sign", "verify"]}))),
        ("certificate members", rsa_with(&json!({"x5t": "x", "x5t#S256": "x", "x5c": ["x"], "x5u": "x", "x": 1}))),
    ] {
        assert_eq!(outcome_with(&[key]), "accepted", "{name}");
    }
    let bounds = [rsa_with(&json!({"n": modulus(8192)})), rsa_with(&json!({"n": modulus(2048), "e": encode([3])}))];
    assert_eq!(parse(&bounds, KeyUse::Sig).usable(), 2);
}

#[test]
fn a_key_serves_only_its_own_algorithm() {
    assert_eq!(outcome_with(&[rsa_with(&json!({"alg": "RS384"}))]), "key_unfit");
    assert_eq!(outcome_with(&[rsa_with(&json!({"alg": "PS256"}))]), "key_unfit");
}

#[test]
fn keys_of_one_id_need_exactly_one_that_fits() {
    let encryption = rsa_with(&json!({"use": "enc", "alg": "RSA-OAEP", "n": modulus(2048)}));
    let other = rsa_with(&json!({"n": modulus(2048)}));
    let curve = with(&WORLD.ec, &json!({"kid": "a-rsa"}));
    let good = WORLD.rsa.jwk();
    for (keys, expected) in [
        (vec![encryption.clone(), good.clone()], "accepted"),
        (vec![good.clone(), encryption], "accepted"),
        (vec![curve, good.clone()], "accepted"),
        (vec![good.clone(), other.clone()], "key_ambiguous"),
        (vec![other.clone(), good.clone()], "key_ambiguous"),
        (vec![good.clone(), good], "key_ambiguous"),
        (vec![other], "signature"),
        (vec![], "key_unknown"),
    ] {
        assert_eq!(outcome_with(&keys), expected, "{keys:?}");
    }
}

#[test]
fn a_set_knows_its_ids_also_of_skipped_keys() {
    let set = parse(&[rsa_with(&json!({"use": "enc"})), WORLD.ec.jwk()], KeyUse::Sig);
    assert!(set.knows(Some("a-rsa")) && set.knows(Some("a-ec")) && set.knows(None));
    assert!(!set.knows(Some("a-ed")));
    assert_eq!(set.skipped().collect::<Vec<_>>(), [(Some("a-rsa"), Unusable::Use)]);
}

#[test]
fn a_trust_bundle_has_keys_for_several_protocols() {
    let svid = with(&WORLD.rsa, &json!({"use": "jwt-svid", "alg": null}));
    let set = parse(&[svid, with(&WORLD.ec, &json!({"use": "x509-svid"})), WORLD.ed.jwk()], KeyUse::JwtSvid);
    assert_eq!(set.skipped().map(|(id, _)| id.unwrap()).collect::<Vec<_>>(), ["a-ec", "a-ed"]);
    let no_use = with(&WORLD.ec, &json!({"use": null}));
    assert_eq!(parse(&[no_use], KeyUse::JwtSvid).usable(), 0);
}

#[test]
fn what_is_no_key_set_is_refused() {
    for text in
        ["", "[]", "{}", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[],"keys":[]}"#, r#"{"keys":[]"#]
    {
        let refused = KeySet::parse(text.as_bytes(), KeyUse::Sig);
        assert!(matches!(refused, Err(KeySetError::Malformed { .. })), "{text:?}");
    }
    let html = KeySet::parse(b"<html>\n<body>502", KeyUse::Sig).unwrap_err();
    assert_eq!(html.to_string(), "the key set is not a JSON object with an array \"keys\" (line 1, column 1)");
    let deep = format!(r#"{{"keys":[{}]}}"#, "[".repeat(100_000));
    assert!(KeySet::parse(deep.as_bytes(), KeyUse::Sig).is_err());
}

#[test]
fn key_sets_are_bounded() {
    let keys = |count: usize| json!({"keys": vec![json!({}); count]}).to_string();
    assert!(KeySet::parse(keys(64).as_bytes(), KeyUse::Sig).is_ok());
    assert_eq!(KeySet::parse(keys(65).as_bytes(), KeyUse::Sig).unwrap_err(), KeySetError::TooMany { limit: 64 });
    let large = json!({"keys": [], "x": "x".repeat(10_000_000)}).to_string();
    let limit = 256 << 10;
    assert_eq!(KeySet::parse(large.as_bytes(), KeyUse::Sig).unwrap_err(), KeySetError::TooLarge { limit });
}

#[test]
fn a_rotated_key_takes_over() {
    let (old, new) = (SigningKey::p256("2026-11"), SigningKey::p256("2026-12"));
    let token = draft().sign(&new);
    let token = Token::read(&token, &WORLD.issuers).unwrap();
    let verify = |keys: &KeySet| outcome(&token.verify(keys, at(super::NOW)));
    assert_eq!(verify(&super::key_set(&[&old])), "key_unknown");
    assert_eq!(verify(&super::key_set(&[&old, &new])), "accepted");
    assert_eq!(verify(&super::key_set(&[])), "key_unknown");
}

#[test]
fn the_test_key_is_a_usual_one() {
    let jwk = WORLD.rsa.jwk();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    assert_eq!((bytes.len(), jwk["e"].as_str()), (256, Some("AQAB")));
}
