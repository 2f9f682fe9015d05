//! The attack set: tokens of known attacks and mistakes, each with the check that refuses it. Rows that are `accepted` show that
//! a check is not stricter than its specification.

mod claims;
mod header;
mod key_choice;
mod signature;
mod size;

use std::collections::HashSet;

use serde_json::json;

use super::signer::Draft;
use super::{AUDIENCE, ISSUER, NOW, WORLD, World};

/// Name of the attack, the token, and the check that refuses it.
type Row = (&'static str, String, &'static str);

/// Takes a fault out of a token.
type Repair = fn(Draft) -> Draft;

fn assert_rows(rows: &[Row]) {
    let outcomes = rows.iter().map(|(name, token, check)| (name, WORLD.outcome(token), check));
    let wrong = outcomes.filter(|(_, outcome, check)| outcome != *check);
    let wrong: Vec<_> = wrong.map(|(name, outcome, check)| format!("{name}: {outcome} instead of {check}")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All rows, group by group.
fn all(world: &World) -> Vec<Row> {
    [
        header::algorithms(world),
        header::members(world),
        header::types(world),
        key_choice::rows(world),
        claims::issuer_and_subject(world),
        claims::audience(world),
        claims::times(world),
        claims::forms(world),
        claims::confirmation(world),
        signature::rows(world),
        size::rows(world),
    ]
    .concat()
}

/// The checks that the tokens of the set can fail, in their order.
pub(super) const CHECKS: [&str; 38] = [
    "size",
    "parts",
    "header_encoding",
    "header_size",
    "header_json",
    "header_duplicate",
    "header_depth",
    "header_nul",
    "header_crit",
    "header_b64",
    "header_zip",
    "header_enc",
    "header_cty",
    "algorithm",
    "type",
    "key_id",
    "payload_encoding",
    "issuer_format",
    "issuer",
    "key_unknown",
    "key_ambiguous",
    "key_unfit",
    "signature_encoding",
    "signature",
    "payload_json",
    "payload_duplicate",
    "payload_depth",
    "payload_nul",
    "exp_format",
    "nbf_format",
    "iat_format",
    "lifetime",
    "expired",
    "not_yet_valid",
    "issued_in_future",
    "audience",
    "confirmation",
    "mapping",
];

#[test]
fn the_set_is_complete() {
    let rows = all(&WORLD);
    let names: HashSet<_> = rows.iter().map(|(name, _, _)| name).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    let reached: HashSet<_> = rows.iter().map(|(_, _, check)| check).collect();
    let missing: Vec<_> = CHECKS.iter().filter(|check| !reached.contains(check)).collect();
    assert!(missing.is_empty(), "no attack fails at {missing:?}");
    let attacks = rows.iter().filter(|(_, _, check)| *check != "accepted").count();
    assert!(attacks >= 88, "{attacks} attacks");
}

/// A token with many faults, repaired one by one. An earlier check protects the later ones, such as the issuer's keys.
#[test]
fn checks_run_in_order() {
    let mut token = Draft::new(
        json!({"typ": "JWT", "kid": "b-ec", "crit": ["b64"]}),
        json!({"iss": "https://evil.test/", "exp": 0, "aud": "urn:other", "cnf": {"jkt": "x"}, "jti": 1}),
    );
    let steps: [(&str, Repair); 9] = [
        ("header_crit", |token| token.no_header("crit")),
        ("issuer", |token| token.claim("iss", ISSUER)),
        ("type", |token| token.header("typ", "at+jwt")),
        ("key_unknown", |token| token.header("kid", "a-ec")),
        ("expired", |token| token.claim("exp", NOW + 600)),
        ("audience", |token| token.claim("aud", AUDIENCE)),
        ("confirmation", |token| token.no_claim("cnf")),
        ("mapping", |token| token.claim("sub", "alice").no_claim("jti")),
        ("accepted", |token| token),
    ];
    for (check, repair) in steps {
        assert_eq!(WORLD.outcome(&token.sign(&WORLD.ec)), check);
        token = repair(token);
    }
}

#[test]
fn nothing_of_a_token_is_in_the_reason() {
    // Every row carries these texts, or the attacker's own.
    for (name, token, _) in all(&WORLD) {
        if let Err(rejection) = WORLD.check(&token) {
            let text = rejection.to_string();
            let leaks = ["alice", "login.test", "a-rsa", "evil", "/etc/", "DROP"];
            assert!(!leaks.iter().any(|leak| text.contains(leak)), "{name}: {text}");
        }
    }
}
