//! Attacks in rightly signed claims: a careless or hostile issuer, and tokens for others.

use serde_json::{Value, json};

use super::{Row, assert_rows};
use crate::http::auth::jwt::tests::signer::encode;
use crate::http::auth::jwt::tests::{AUDIENCE, ISSUER, NOW, OTHER_ISSUER, WORLD, World, draft};

#[test]
fn issuer_and_subject_are_one_text_each() {
    assert_rows(&issuer_and_subject(&WORLD));
}

#[test]
fn tokens_for_others_are_refused() {
    assert_rows(&audience(&WORLD));
}

#[test]
fn times_are_whole_seconds_and_lives_are_short() {
    assert_rows(&times(&WORLD));
}

#[test]
fn payloads_have_one_meaning() {
    assert_rows(&forms(&WORLD));
}

#[test]
fn bound_tokens_are_no_bearer_tokens() {
    assert_rows(&confirmation(&WORLD));
}

fn with(world: &World, claim: &str, value: Value) -> String {
    draft().claim(claim, value).sign(&world.rsa)
}

pub(super) fn issuer_and_subject(world: &World) -> Vec<Row> {
    let iss = |value: Value| with(world, "iss", value);
    let sub = |value: Value| with(world, "sub", value);
    vec![
        ("iss missing", draft().no_claim("iss").sign(&world.rsa), "issuer_format"),
        ("iss null", iss(json!(null)), "issuer_format"),
        ("iss array holding ours", iss(json!([ISSUER])), "issuer_format"),
        ("iss object", iss(json!({"iss": ISSUER})), "issuer_format"),
        ("iss number", iss(json!(1)), "issuer_format"),
        ("iss unknown", iss(json!("https://evil.test/")), "issuer"),
        ("iss empty", iss(json!("")), "issuer"),
        ("iss without its slash", iss(json!("https://login.test")), "issuer"),
        ("iss in another case", iss(json!("https://LOGIN.test/")), "issuer"),
        ("iss with a suffix", iss(json!("https://login.test/evil")), "issuer"),
        ("iss with a space", iss(json!("https://login.test/ ")), "issuer"),
        ("iss of the other issuer", iss(json!(OTHER_ISSUER)), "key_unknown"),
        (
            "iss missing and a SPIFFE ID",
            draft().no_claim("iss").claim("sub", "spiffe://evil/x").sign(&world.rsa),
            "issuer",
        ),
        ("sub missing", draft().no_claim("sub").sign(&world.rsa), "mapping"),
        ("sub empty", sub(json!("")), "mapping"),
        ("sub blank", sub(json!("  ")), "mapping"),
        ("sub number", sub(json!(1)), "mapping"),
        ("sub array", sub(json!(["alice"])), "mapping"),
        ("sub with a line feed", sub(json!("alice\nroot")), "mapping"),
        ("sub with an escape sequence", sub(json!("alice\u{1b}[2J")), "mapping"),
        ("sub of 2,049 bytes", sub(json!("a".repeat(2049))), "mapping"),
        ("jti number", with(world, "jti", json!(7)), "mapping"),
    ]
}

pub(super) fn audience(world: &World) -> Vec<Row> {
    let aud = |value: Value| with(world, "aud", value);
    let many: Vec<String> = (0..128).map(|number| format!("a{number}")).chain([AUDIENCE.to_owned()]).collect();
    vec![
        ("aud missing", draft().no_claim("aud").sign(&world.rsa), "audience"),
        ("aud null", aud(json!(null)), "audience"),
        ("aud empty text", aud(json!("")), "audience"),
        ("aud empty array", aud(json!([])), "audience"),
        ("aud object", aud(json!({"0": AUDIENCE})), "audience"),
        ("aud number", aud(json!(1)), "audience"),
        ("aud in another case", aud(json!("URN:cmgate")), "audience"),
        ("aud of another service", aud(json!("urn:cmgate-test")), "audience"),
        ("aud a list in a text", aud(json!("urn:other urn:cmgate")), "audience"),
        ("aud nested", aud(json!([[AUDIENCE]])), "audience"),
        ("aud with a number beside ours", aud(json!([AUDIENCE, 1])), "audience"),
        ("129 audiences", aud(json!(many)), "audience"),
        ("128 audiences", aud(json!(many[1..])), "accepted"),
        ("aud with others beside ours", aud(json!(["urn:other", AUDIENCE])), "accepted"),
        ("aud is the second of ours", aud(json!("https://cmgate.test")), "accepted"),
    ]
}

pub(super) fn times(world: &World) -> Vec<Row> {
    let exp = |value: Value| with(world, "exp", value);
    let nbf = |value: Value| with(world, "nbf", value);
    let iat = |value: Value| with(world, "iat", value);
    let span = |iat: i64, exp: i64| draft().claim("iat", iat).claim("exp", exp).sign(&world.rsa);
    let without_iat = |exp: i64| draft().no_claim("iat").claim("exp", exp).sign(&world.rsa);
    let raw = |exp: &str| {
        let payload = draft().payload_text().replace(&format!("\"exp\":{}", NOW + 600), &format!("\"exp\":{exp}"));
        draft().sign_payload(&world.rsa, &payload)
    };
    let day = 24 * 3600;
    vec![
        ("exp missing", draft().no_claim("exp").sign(&world.rsa), "exp_format"),
        ("exp text", exp(json!((NOW + 600).to_string())), "exp_format"),
        ("exp null", exp(json!(null)), "exp_format"),
        ("exp true", exp(json!(true)), "exp_format"),
        ("exp array", exp(json!([NOW + 600])), "exp_format"),
        ("exp negative", exp(json!(-1)), "exp_format"),
        ("exp with a fraction", raw(&format!("{}.5", NOW + 600)), "exp_format"),
        ("exp 1e18 as a float", raw("1e18"), "exp_format"),
        ("exp 10^18", raw("1000000000000000000"), "exp_format"),
        ("exp 2^63-1", raw("9223372036854775807"), "exp_format"),
        ("exp 2^64-1", raw("18446744073709551615"), "exp_format"),
        ("exp in milliseconds", exp(json!((NOW + 600) * 1000)), "lifetime"),
        ("exp 0", span(0, 0), "expired"),
        ("expired for 30 s", span(NOW - 600, NOW - 30), "expired"),
        ("expired for 29 s, within the skew", span(NOW - 600, NOW - 29), "accepted"),
        ("a life of ten years", span(NOW - 60, NOW + 3650 * day), "lifetime"),
        ("a life of ten years without iat", without_iat(NOW + 3650 * day), "lifetime"),
        ("a life of a day and a second", span(NOW, NOW + day + 1), "lifetime"),
        ("a life of a day", span(NOW, NOW + day), "accepted"),
        ("no iat and a day left", without_iat(NOW + day), "accepted"),
        ("expired before its issue", span(NOW, NOW - 1), "lifetime"),
        ("iat tomorrow", span(NOW + day, NOW + day + 600), "issued_in_future"),
        ("iat in 31 s", iat(json!(NOW + 31)), "issued_in_future"),
        ("iat in 30 s, within the skew", iat(json!(NOW + 30)), "accepted"),
        ("iat text", iat(json!(NOW.to_string())), "iat_format"),
        ("iat null", iat(json!(null)), "iat_format"),
        ("iat negative", iat(json!(-1)), "iat_format"),
        ("nbf in 31 s", nbf(json!(NOW + 31)), "not_yet_valid"),
        ("nbf in 30 s, within the skew", nbf(json!(NOW + 30)), "accepted"),
        ("nbf text", nbf(json!(NOW.to_string())), "nbf_format"),
        ("nbf null", nbf(json!(null)), "nbf_format"),
        ("nbf negative", nbf(json!(-1)), "nbf_format"),
    ]
}

pub(super) fn forms(world: &World) -> Vec<Row> {
    let raw = |payload: &str| draft().sign_payload(&world.rsa, payload);
    let usual = draft().payload_text();
    let more = |claims: &str| raw(&usual.replacen('{', &format!("{{{claims},"), 1));
    let nested = |levels: usize| format!(r#""x":{}0{}"#, "[".repeat(levels), "]".repeat(levels));
    let good = draft().sign(&world.rsa);
    let mut parts = good.split('.');
    let (head, body, tail) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    vec![
        ("iss twice", more(&format!(r#""iss":"{ISSUER}""#)), "issuer_format"),
        ("iss twice, once escaped", more(r#""\u0069ss":"https://evil.test/""#), "issuer_format"),
        ("sub twice", more(r#""sub":"evil""#), "payload_duplicate"),
        ("sub twice, once escaped", more(r#""s\u0075b":"evil""#), "payload_duplicate"),
        ("exp twice", more(r#""exp":9999999999"#), "payload_duplicate"),
        ("groups twice", more(r#""groups":["S-1-1-0"],"groups":[]"#), "payload_duplicate"),
        ("a name twice inside", more(r#""cnf":{"jkt":"a","jkt":"b"}"#), "payload_duplicate"),
        ("payload of 17 levels", more(&nested(16)), "payload_depth"),
        ("payload of 16 levels", more(&nested(15)), "accepted"),
        ("NUL in a claim", more(r#""name":"alice\u0000root""#), "payload_nul"),
        ("NUL in a name", more(r#""na\u0000me":1"#), "payload_nul"),
        ("bytes after the payload", raw(&format!("{usual}x")), "payload_json"),
        ("two payloads", raw(&format!("{usual}{usual}")), "payload_json"),
        ("payload with a byte order mark", raw(&format!("\u{feff}{usual}")), "payload_json"),
        ("payload is a list that begins with ours", raw(&json!([ISSUER]).to_string()), "payload_json"),
        ("payload is a text", raw(&json!(ISSUER).to_string()), "issuer_format"),
        ("payload is empty", raw(""), "payload_json"),
        ("lone surrogate", more(r#""name":"\ud800""#), "payload_json"),
        ("padding after the payload", format!("{head}.{body}==.{tail}"), "payload_encoding"),
        ("space in the payload", format!("{head}. {body}.{tail}"), "payload_encoding"),
        (
            "payload replaced",
            format!("{head}.{}.{tail}", encode(draft().claim("sub", "root").payload_text())),
            "signature",
        ),
    ]
}

pub(super) fn confirmation(world: &World) -> Vec<Row> {
    let cnf = |value: Value| with(world, "cnf", value);
    let thumbprint = encode([7; 32]);
    vec![
        ("DPoP", cnf(json!({"jkt": thumbprint})), "confirmation"),
        ("DPoP beside a certificate", cnf(json!({"jkt": thumbprint, "x5t#S256": thumbprint})), "confirmation"),
        ("cnf with a key", cnf(json!({"jwk": world.ec.jwk()})), "confirmation"),
        ("cnf empty", cnf(json!({})), "confirmation"),
        ("cnf null", cnf(json!(null)), "confirmation"),
        ("cnf text", cnf(json!(thumbprint)), "confirmation"),
        ("cnf of another length", cnf(json!({"x5t#S256": encode([7; 20])})), "confirmation"),
        ("cnf with padding", cnf(json!({"x5t#S256": format!("{thumbprint}=")})), "confirmation"),
        ("cnf number", cnf(json!({"x5t#S256": 7})), "confirmation"),
    ]
}
