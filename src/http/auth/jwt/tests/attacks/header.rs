//! Attacks in the header: algorithm, extensions, and type.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use serde_json::json;

use super::{Row, assert_rows};
use crate::http::auth::jwt::tests::signer::{Draft, SigningKey, encode, sign};
use crate::http::auth::jwt::tests::{WORLD, World, draft};

#[test]
fn tokens_do_not_choose_their_algorithm() {
    assert_rows(&algorithms(&WORLD));
}

#[test]
fn the_header_has_one_meaning() {
    assert_rows(&members(&WORLD));
}

#[test]
fn other_types_of_tokens_are_no_access_tokens() {
    assert_rows(&types(&WORLD));
}

pub(super) fn algorithms(world: &World) -> Vec<Row> {
    let World { rsa, ec, .. } = world;
    let unsigned = |alg: &str| {
        let header = draft().header("alg", alg).header_text(rsa);
        format!("{}.{}.", encode(header), encode(draft().payload_text()))
    };
    let with = |alg: serde_json::Value| draft().header("alg", alg).sign(rsa);
    let pem = format!(
        "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
        BASE64_STANDARD.encode(rsa.rsa_der())
    );
    let no_alg = format!(r#"{{"typ":"at+jwt","kid":"{}"}}"#, rsa.id);
    vec![
        ("alg none", unsigned("none"), "algorithm"),
        ("alg None", unsigned("None"), "algorithm"),
        ("alg NONE", unsigned("NONE"), "algorithm"),
        ("alg nOnE", unsigned("nOnE"), "algorithm"),
        ("alg empty", unsigned(""), "algorithm"),
        ("alg missing", draft().sign_header(rsa, &no_alg), "algorithm"),
        ("alg array", with(json!(["RS256"])), "algorithm"),
        ("alg number", with(json!(256)), "algorithm"),
        ("alg null", with(json!(null)), "algorithm"),
        ("alg in lower case", with(json!("rs256")), "algorithm"),
        ("alg with a space", with(json!("RS256 ")), "algorithm"),
        ("HS256 with the public key as PEM", hmac_signed(rsa, pem.as_bytes()), "algorithm"),
        ("HS256 with the public key as DER", hmac_signed(rsa, &rsa.rsa_der()), "algorithm"),
        ("HS256 with the public key as JWK", hmac_signed(rsa, rsa.jwk().to_string().as_bytes()), "algorithm"),
        ("RS384, which the entry does not list", with(json!("RS384")), "algorithm"),
        ("PS256, which the entry does not list", with(json!("PS256")), "algorithm"),
        ("ES256 with an RSA key", draft().header("alg", "ES256").header("kid", rsa.id).sign(ec), "key_unfit"),
        ("RS256 with an EC key", draft().header("kid", ec.id).sign(rsa), "key_unfit"),
        ("ES384 with a P-256 key", draft().header("alg", "ES384").sign(ec), "key_unfit"),
        ("RS256", draft().sign(rsa), "accepted"),
        ("ES256", draft().sign(ec), "accepted"),
        ("ES384", draft().sign(&world.p384), "accepted"),
        ("EdDSA", draft().sign(&world.ed), "accepted"),
    ]
}

/// A token whose HMAC has a public key as its secret.
fn hmac_signed(key: &SigningKey, secret: &[u8]) -> String {
    let header = draft().header("alg", "HS256").header_text(key);
    let message = format!("{}.{}", encode(header), encode(draft().payload_text()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", encode(tag))
}

pub(super) fn members(world: &World) -> Vec<Row> {
    let World { rsa, .. } = world;
    let with = |draft: Draft| draft.sign(rsa);
    let raw = |header: &str| draft().sign_header(rsa, header);
    let usual = draft().header_text(rsa);
    let more = |members: &str| raw(&usual.replacen('{', &format!("{{{members},"), 1));
    let good = draft().sign(rsa);
    let (head, tail) = good.split_once('.').unwrap();
    let nested = format!("{}0{}", "[".repeat(16), "]".repeat(16));
    vec![
        ("crit of an unknown extension", with(draft().header("crit", json!(["exp"])).header("exp", 1)), "header_crit"),
        ("crit empty", with(draft().header("crit", json!([]))), "header_crit"),
        ("crit null", with(draft().header("crit", json!(null))), "header_crit"),
        ("crit b64", with(draft().header("crit", json!(["b64"])).header("b64", false)), "header_crit"),
        ("b64 without crit", with(draft().header("b64", false)), "header_b64"),
        ("zip", with(draft().header("zip", "DEF")), "header_zip"),
        ("enc", with(draft().header("enc", "A256GCM")), "header_enc"),
        ("cty JWT", with(draft().header("cty", "JWT")), "header_cty"),
        ("JWE", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d".to_owned(), "parts"),
        (
            "JSON form",
            json!({"payload": tail, "protected": head, "signature": ""}).to_string().replace('.', ""),
            "parts",
        ),
        ("two parts", good.rsplit_once('.').unwrap().0.to_owned(), "parts"),
        ("four parts", format!("{good}.{}", encode("x")), "parts"),
        ("one part", head.to_owned(), "parts"),
        ("nothing", String::new(), "parts"),
        ("alg twice", more(r#""alg":"none""#), "header_duplicate"),
        ("kid twice", more(r#""kid":"evil""#), "header_duplicate"),
        ("kid twice, once escaped", more(r#""k\u0069d":"evil""#), "header_duplicate"),
        ("an unknown name twice", more(r#""x":1,"x":2"#), "header_duplicate"),
        ("a name twice inside the header", more(r#""x":{"y":1,"y":2}"#), "header_duplicate"),
        ("bytes after the header", raw(&format!("{usual}x")), "header_json"),
        ("two headers", raw(&format!("{usual}{usual}")), "header_json"),
        ("header with a byte order mark", raw(&format!("\u{feff}{usual}")), "header_json"),
        ("header is an array", raw(r#"["RS256"]"#), "header_json"),
        ("header is empty", raw(""), "header_json"),
        ("header is nested", more(&format!(r#""x":{nested}"#)), "header_depth"),
        ("NUL in the header", more(r#""x":"\u0000""#), "header_nul"),
        ("padding after the header", format!("{head}=.{tail}"), "header_encoding"),
        ("space in the header", format!("{head} .{tail}"), "header_encoding"),
        ("line feed before the header", format!("\n{good}"), "header_encoding"),
        (
            "header in standard base64",
            format!("{}.{tail}", BASE64_STANDARD.encode(r#"{"a":"???>"}"#)),
            "header_encoding",
        ),
    ]
}

pub(super) fn types(world: &World) -> Vec<Row> {
    let World { rsa, .. } = world;
    let with = |typ: serde_json::Value| draft().header("typ", typ).sign(rsa);
    let confused = r#"{"typ":"at+jwt","cty":"at+jwt","alg":"RS256","kid":"a-rsa"}"#;
    vec![
        ("ID token", with(json!("JWT")), "type"),
        ("refresh token", with(json!("rt+jwt")), "type"),
        ("logout token", with(json!("logout+jwt")), "type"),
        ("DPoP proof", with(json!("dpop+jwt")), "type"),
        ("security event", with(json!("secevent+jwt")), "type"),
        ("typ missing", draft().no_header("typ").sign(rsa), "type"),
        ("typ empty", with(json!("")), "type"),
        ("typ number", with(json!(1)), "type"),
        ("typ array", with(json!(["at+jwt"])), "type"),
        ("typ of another tree", with(json!("text/at+jwt")), "type"),
        ("typ prefixed twice", with(json!("application/application/at+jwt")), "type"),
        ("typ with a parameter", with(json!("at+jwt;v=1")), "type"),
        ("nested token of the right type", sign(rsa, "RS256", confused, &draft().payload_text()), "header_cty"),
        ("typ in upper case", with(json!("AT+JWT")), "accepted"),
        ("typ as a media type", with(json!("Application/AT+jwt")), "accepted"),
    ]
}
