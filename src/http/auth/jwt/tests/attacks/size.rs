//! Attacks by size.

use serde_json::json;

use super::{Row, assert_rows};
use crate::http::auth::jwt::tests::signer::encode;
use crate::http::auth::jwt::tests::{AUDIENCE, WORLD, World, draft, other_draft};

#[test]
fn every_size_is_bounded() {
    assert_rows(&rows(&WORLD));
}

/// The limit of the other issuer, 64 KiB, is the larger one.
pub(super) fn rows(world: &World) -> Vec<Row> {
    let World { rsa, foreign, .. } = world;
    let deep = format!("{}0{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_payload = other_draft().payload_text().replacen('{', &format!("{{\"x\":{deep},"), 1);
    let audiences: Vec<&str> = std::iter::repeat_n("a", 10_000).chain([AUDIENCE]).collect();
    let groups: Vec<&str> = std::iter::repeat_n("S-1-1-0", 4_000).collect();
    let padded = |bytes: usize| draft().claim("x", "x".repeat(bytes)).sign(rsa);
    // Three bytes more are four characters more.
    let spare = ((16 << 10) - padded(0).len()) / 4 * 3;
    vec![
        ("1 MiB of dots", ".".repeat(1 << 20), "size"),
        ("1 MiB of header", encode("x".repeat(1 << 20)), "size"),
        ("1 MiB of signature", format!("{}{}", draft().sign(rsa), "A".repeat(1 << 20)), "size"),
        ("64 KiB of dots", ".".repeat(64 << 10), "parts"),
        ("header nested 10,000 times", draft().sign_header(rsa, &deep), "header_size"),
        ("header of 2,049 bytes", draft().sign_header(rsa, &" ".repeat(2_049)), "header_size"),
        ("header of 2,048 bytes", draft().sign_header(rsa, &" ".repeat(2_048)), "header_json"),
        ("kid of 100 kB", draft().header("kid", "k".repeat(100_000)).sign(rsa), "size"),
        ("kid of 40 kB", draft().header("kid", "k".repeat(40_000)).sign(rsa), "header_size"),
        ("payload nested 10,000 times", other_draft().sign_payload(foreign, &deep_payload), "payload_depth"),
        ("10,000 audiences", other_draft().claim("aud", json!(audiences)).sign(foreign), "audience"),
        ("10,000 audiences of an issuer of short tokens", draft().claim("aud", json!(audiences)).sign(rsa), "size"),
        ("4,000 groups of an issuer of short tokens", draft().claim("groups", json!(groups)).sign(rsa), "size"),
        ("a token of more than 16 KiB", padded(spare + 3), "size"),
        ("a token of 16 KiB", padded(spare), "accepted"),
        (
            "a token of 40 kB of the other issuer",
            other_draft().claim("x", "x".repeat(30_000)).sign(foreign),
            "accepted",
        ),
    ]
}
