//! Attacks on the choice of the key.

use serde_json::json;

use super::{Row, assert_rows};
use crate::http::auth::jwt::Token;
use crate::http::auth::jwt::tests::{OTHER_ISSUER, WORLD, World, draft, other_draft};

#[test]
fn tokens_do_not_choose_their_key() {
    assert_rows(&rows(&WORLD));
}

#[test]
fn keys_in_a_token_are_ignored_and_reported() {
    let token = draft().header("jku", "https://evil.test").header("x5c", json!([])).sign(&WORLD.rsa);
    let token = Token::read(&token, &WORLD.issuers).unwrap();
    assert_eq!(token.ignored_members(), ["jku", "x5c"]);
}

pub(super) fn rows(world: &World) -> Vec<Row> {
    let World { rsa, ec, second_ec, ed, foreign, .. } = world;
    let kid = |id: serde_json::Value| draft().header("kid", id).sign(rsa);
    // Signed with a foreign key, with an id of the issuer and the foreign key attached.
    let forged = |name: &str, value: serde_json::Value| draft().header("kid", ec.id).header(name, value).sign(foreign);
    let certificate = json!(["MIIB"]);
    vec![
        ("kid of another issuer", draft().sign(foreign), "key_unknown"),
        ("our kid in a token of another issuer", other_draft().sign(ec), "key_unknown"),
        ("our kid and a foreign key", draft().header("kid", ec.id).sign(foreign), "signature"),
        ("foreign kid and our key", other_draft().header("kid", foreign.id).sign(ec), "signature"),
        ("kid of the issuer's other key", draft().header("kid", ec.id).sign(second_ec), "signature"),
        ("the other issuer's subject in our name", draft().claim("sub", "b~alice").sign(foreign), "key_unknown"),
        ("kid is a path", kid(json!("../../../../etc/passwd")), "key_unknown"),
        ("kid is a URL", kid(json!("https://evil.test/jwks.json")), "key_unknown"),
        ("kid is SQL", kid(json!("x' UNION SELECT 'evil'; DROP TABLE keys --")), "key_unknown"),
        ("kid in another case", kid(json!("A-RSA")), "key_unknown"),
        ("kid with NUL", kid(json!("a-rsa\0")), "header_nul"),
        ("kid with a line feed", kid(json!("a-rsa\n")), "key_id"),
        ("kid number", kid(json!(1)), "key_id"),
        ("kid null", kid(json!(null)), "key_id"),
        ("kid array", kid(json!(["a-rsa"])), "key_id"),
        ("kid empty", kid(json!("")), "key_id"),
        ("kid of 257 bytes", kid(json!("k".repeat(257))), "key_id"),
        ("kid of 256 bytes", kid(json!("k".repeat(256))), "key_unknown"),
        ("kid missing where two keys fit", draft().sign_without_key_id(ec), "key_ambiguous"),
        ("kid missing and a foreign key", other_draft().sign_without_key_id(ec), "signature"),
        ("kid missing and no key of the algorithm", other_draft().sign_without_key_id(ed), "key_unfit"),
        ("kid missing where one key fits", draft().sign_without_key_id(rsa), "accepted"),
        ("jku", forged("jku", json!("https://evil.test/jwks.json")), "signature"),
        ("x5u", forged("x5u", json!("https://evil.test/cert.pem")), "signature"),
        ("jwk", forged("jwk", foreign.jwk()), "signature"),
        ("x5c", forged("x5c", certificate), "signature"),
        ("jku beside a right signature", draft().header("jku", OTHER_ISSUER).sign(rsa), "accepted"),
    ]
}
