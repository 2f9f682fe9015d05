//! The attack set over the wire: rows of each group, on both transports. Each is refused with the same answer, and the metrics name
//! the check. The unit tests of the check have the other rows.

use ring::hmac;
use serde_json::json;
use tonic::Code;

use super::signer::{Draft, SigningKey, encode, sign};
use super::{AUDIENCE, Guarded, Issuer, draft, entry, now};
use crate::support::client::info;

/// Name of the attack, the token, and the check that refuses it.
type Row = (&'static str, String, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn attacks_are_refused_by_the_expected_check_over_both_transports() {
    let (rsa, ec) = (SigningKey::rsa("a-rsa"), SigningKey::p256("a-ec"));
    let foreign = SigningKey::p256("b-ec");
    let (ours, theirs) = (Issuer::start(&[&rsa, &ec]).await, Issuer::start(&[&foreign]).await);
    let mut first = entry("a", &ours);
    first.extend([("MAX_BYTES", "4096".to_owned()), ("REQUIRE__VER", "1.0".to_owned())]);
    let guarded = Guarded::start(&[first, entry("b", &theirs)]);
    let good = draft(&ours.url("")).claim("ver", "1.0");
    guarded.create(&good.sign(&rsa)).await.unwrap();
    guarded.list(&good.sign(&ec)).await.assert_accepted();
    guarded.create(&draft(&theirs.url("")).sign(&foreign)).await.unwrap();

    let rows = [
        algorithms(&good, &rsa, &ec),
        keys(&good, &rsa, &foreign),
        headers(&good, &rsa),
        types(&good, &rsa),
        claims(&good, &rsa, &theirs),
        signatures(&good, &rsa, &ec),
        sizes(&good, &rsa),
    ];
    for (name, token, check) in rows.into_iter().flatten() {
        let before = guarded.refused(check).await;
        let error = guarded.create(&token).await.unwrap_err();
        assert_eq!((error.code(), info(&error).reason.as_str()), (Code::Unauthenticated, "INVALID_TOKEN"), "{name}");
        assert_eq!(error.message(), "the token is not accepted; the log of the service has the reason", "{name}");
        let challenge = "Bearer realm=\"cmgate\", error=\"invalid_token\"";
        assert_eq!(error.metadata().get("www-authenticate").unwrap(), challenge, "{name}");
        assert_eq!(guarded.refused(check).await, before + 1, "{name} over gRPC: not refused by {check}");

        let answer = guarded.list(&token).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, challenge), "{name}");
        let message = answer.json()["Message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("The token is not accepted; the log of the service has the reason. "), "{message}");
        assert_eq!(guarded.refused(check).await, before + 2, "{name} over REST: not refused by {check}");
    }
    assert_eq!(guarded.metric("cmgate_ignored_token_members_total", "member=\"jku\"").await, 2);
    let log = guarded.instance.log();
    assert!(log.contains("check=\"signature\"") && log.contains("the signature is wrong"), "the log names the check");
    assert!(!log.contains("alice@corp.test"), "the log does not show what tokens hold");
    guarded.create(&good.sign(&rsa)).await.unwrap();
}

fn algorithms(good: &Draft, rsa: &SigningKey, ec: &SigningKey) -> Vec<Row> {
    let unsigned = |alg: &str| {
        let header = json!({"alg": alg, "typ": "JWT", "kid": rsa.id}).to_string();
        format!("{}.{}.", encode(header), encode(good.payload_text()))
    };
    let hmac_with = |secret: &[u8]| {
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": rsa.id}).to_string();
        let message = format!("{}.{}", encode(header), encode(good.payload_text()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", encode(tag))
    };
    vec![
        ("alg none", unsigned("none"), "algorithm"),
        ("alg nOnE", unsigned("nOnE"), "algorithm"),
        ("alg array", good.clone().header("alg", json!(["RS256"])).sign(rsa), "algorithm"),
        ("HS256 with the public key in DER form", hmac_with(&rsa.rsa_der()), "algorithm"),
        ("HS256 with the JWK", hmac_with(rsa.jwk().to_string().as_bytes()), "algorithm"),
        ("RS384", good.clone().header("alg", "RS384").sign(rsa), "algorithm"),
        ("PS256", good.clone().header("alg", "PS256").sign(rsa), "algorithm"),
        ("ES256 with the id of an RSA key", good.clone().header("kid", rsa.id).sign(ec), "key_unfit"),
    ]
}

fn keys(good: &Draft, rsa: &SigningKey, foreign: &SigningKey) -> Vec<Row> {
    let attacker = SigningKey::p256("evil");
    let kid = |id: serde_json::Value| good.clone().header("kid", id).sign(rsa);
    vec![
        ("key of another issuer", good.sign(foreign), "key_unknown"),
        ("kid is a path", kid(json!("../../etc/passwd")), "key_unknown"),
        ("kid is SQL", kid(json!("x' UNION SELECT 'key")), "key_unknown"),
        ("kid of 3 kB", kid(json!("x".repeat(3_000))), "header_size"),
        ("kid with NUL", kid(json!("a\u{0}b")), "header_nul"),
        ("kid number", kid(json!(7)), "key_id"),
        (
            "jku and jwk of the attacker",
            {
                let draft = good.clone().header("jku", "https://evil.test/keys").header("jwk", attacker.jwk());
                draft.sign(&attacker)
            },
            "key_unknown",
        ),
        ("no kid, and the key of another", good.sign_without_key_id(foreign), "signature"),
    ]
}

fn headers(good: &Draft, rsa: &SigningKey) -> Vec<Row> {
    let header = good.header_text(rsa);
    let twice = header.replacen('{', "{\"kid\":\"evil\",", 1);
    vec![
        ("crit", good.clone().header("crit", json!(["b64"])).header("b64", false).sign(rsa), "header_crit"),
        ("crit empty", good.clone().header("crit", json!([])).sign(rsa), "header_crit"),
        ("zip", good.clone().header("zip", "DEF").sign(rsa), "header_zip"),
        ("nested token", good.clone().header("cty", "JWT").sign(rsa), "header_cty"),
        ("kid twice", good.sign_header(rsa, &twice), "header_duplicate"),
        ("JWE", format!("{}.e.e", good.sign(rsa)), "parts"),
        ("bytes after the header", good.sign_header(rsa, &format!("{header}x")), "header_json"),
    ]
}

fn types(good: &Draft, rsa: &SigningKey) -> Vec<Row> {
    let mut rows: Vec<Row> = ["logout+jwt", "dpop+jwt", "at+jwt", "refresh"]
        .map(|typ| ("another type", good.clone().header("typ", typ).sign(rsa), "type"))
        .into();
    rows.push(("no type", good.clone().no_header("typ").sign(rsa), "type"));
    rows
}

fn claims(good: &Draft, rsa: &SigningKey, theirs: &Issuer) -> Vec<Row> {
    let with = |name: &str, value: serde_json::Value| good.clone().claim(name, value).sign(rsa);
    let twice = good.payload_text().replacen('{', "{\"sub\":\"root\",", 1);
    vec![
        ("iss unknown", with("iss", json!("https://evil.test")), "issuer"),
        ("iss of the other entry", with("iss", json!(theirs.url(""))), "key_unknown"),
        ("iss in an array", with("iss", json!([theirs.url("")])), "issuer_format"),
        ("aud missing", good.clone().no_claim("aud").sign(rsa), "audience"),
        ("aud of another service", with("aud", json!("urn:other")), "audience"),
        ("aud in another case", with("aud", json!(AUDIENCE.to_uppercase())), "audience"),
        ("exp missing", good.clone().no_claim("exp").sign(rsa), "exp_format"),
        ("exp text", with("exp", json!("9999999999")), "exp_format"),
        ("expired", with("exp", json!(now() - 60)), "lifetime"),
        (
            "expired after an hour",
            good.clone().claim("iat", now() - 3_660).claim("exp", now() - 60).sign(rsa),
            "expired",
        ),
        ("a life of ten years", with("exp", json!(now() + 315_360_000)), "lifetime"),
        ("valid tomorrow", with("nbf", json!(now() + 86_400)), "not_yet_valid"),
        ("issued tomorrow", good.clone().claim("iat", now() + 3_000).sign(rsa), "issued_in_future"),
        ("sub twice", good.sign_payload(rsa, &twice), "payload_duplicate"),
        ("sub empty", with("sub", json!("")), "mapping"),
        ("oid is no UUID", with("oid", json!("alice")), "mapping"),
        ("required claim missing", good.clone().no_claim("ver").sign(rsa), "requirement"),
        ("required claim of another value", with("ver", json!("2.0")), "requirement"),
        ("DPoP as a bearer token", with("cnf", json!({"jkt": encode([7; 32])})), "confirmation"),
        ("bound to a certificate", with("cnf", json!({"x5t#S256": encode([7; 32])})), "certificate"),
    ]
}

fn signatures(good: &Draft, rsa: &SigningKey, ec: &SigningKey) -> Vec<Row> {
    let token = good.sign(ec);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = good.clone().claim("sub", "root").sign(ec);
    let other_signature = other.rsplit_once('.').unwrap().1;
    let with = |signature: &str| format!("{message}.{signature}");
    let impostor = SigningKey::p256("a-ec");
    vec![
        ("no signature", with(""), "signature"),
        ("r = s = 0", with(&encode([0; 64])), "signature"),
        ("signature of another token", with(other_signature), "signature"),
        ("truncated", with(&signature[..signature.len() - 6]), "signature"),
        ("padded", with(&format!("{signature}==")), "signature_encoding"),
        ("another key with the same id", good.sign(&impostor), "signature"),
        (
            "payload changed",
            {
                let (head, _) = message.split_once('.').unwrap();
                format!("{head}.{}.{signature}", encode(good.clone().claim("sub", "root").payload_text()))
            },
            "signature",
        ),
        (
            "RSA signature over another header",
            sign(rsa, "RS256", &good.header_text(ec), &good.payload_text()),
            "signature",
        ),
    ]
}

fn sizes(good: &Draft, rsa: &SigningKey) -> Vec<Row> {
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let deep = good.payload_text().replacen('{', &format!("{{\"x\":{deep},"), 1);
    vec![
        ("longer than max_bytes", good.clone().claim("x", "x".repeat(4_096)).sign(rsa), "size"),
        ("dots only", ".".repeat(4_000), "parts"),
        ("header of 3 kB", good.clone().header("x", "x".repeat(2_100)).sign(rsa), "header_size"),
        ("depth 400", good.sign_payload(rsa, &deep), "payload_depth"),
    ]
}
