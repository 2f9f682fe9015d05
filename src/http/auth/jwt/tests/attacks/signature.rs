//! Attacks on the signature.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::{Row, assert_rows};
use crate::http::auth::jwt::tests::signer::encode;
use crate::http::auth::jwt::tests::{WORLD, World, draft};

/// Order of P-256 (SEC 2, 2.4.2).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn only_right_signatures_are_accepted() {
    assert_rows(&rows(&WORLD));
}

pub(super) fn rows(world: &World) -> Vec<Row> {
    let (rsa, ec) = (draft().sign(&world.rsa), draft().sign(&world.ec));
    let (rsa_message, rsa_signature) = split(&rsa);
    let (message, signature) = split(&ec);
    let (r, s) = signature.split_at(32);
    let signed = |signature: &[u8]| format!("{message}.{}", encode(signature));
    let (_, others) = split(&draft().claim("sub", "bob").sign(&world.ec));
    let (_, ed) = split(&draft().sign(&world.ed));
    let negated = [r.to_vec(), negate(s)].concat();
    let overflowing = [r.to_vec(), P256_ORDER.to_vec()].concat();
    vec![
        ("signature empty", signed(&[]), "signature"),
        ("r = s = 0", signed(&[0; 64]), "signature"),
        ("r = s = 1", signed(&[[0; 31].as_slice(), &[1], &[0; 31], &[1]].concat()), "signature"),
        ("r = s = n", signed(&[P256_ORDER, P256_ORDER].concat()), "signature"),
        ("s = n", signed(&overflowing), "signature"),
        ("DER form", signed(&der(r, s)), "signature"),
        ("65 bytes", signed(&[&signature[..], &[0]].concat()), "signature"),
        ("63 bytes", signed(&signature[..63]), "signature"),
        ("r and s swapped", signed(&[s, r].concat()), "signature"),
        ("signature of another token", signed(&others), "signature"),
        ("signature of another algorithm", signed(&ed), "signature"),
        ("RSA signature empty", format!("{rsa_message}."), "signature"),
        ("RSA signature of zeros", format!("{rsa_message}.{}", encode([0; 256])), "signature"),
        ("RSA signature 1", format!("{rsa_message}.{}", encode([[0; 255].as_slice(), &[1]].concat())), "signature"),
        ("RSA signature truncated", format!("{rsa_message}.{}", encode(&rsa_signature[..255])), "signature"),
        (
            "RSA signature with a zero before",
            format!("{rsa_message}.{}", encode([&[0], &rsa_signature[..]].concat())),
            "signature",
        ),
        ("padding after the signature", format!("{ec}=="), "signature_encoding"),
        ("space after the signature", format!("{ec} "), "signature_encoding"),
        ("unused bits of the signature set", unused_bits_set(&ec), "signature_encoding"),
        (
            "signature with a character of standard base64",
            format!("{message}.+{}", "A".repeat(85)),
            "signature_encoding",
        ),
        // ECDSA is malleable, so a token's hash is not its identity; the claims are the same.
        ("s replaced by n - s", signed(&negated), "accepted"),
    ]
}

fn split(token: &str) -> (&str, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    (message, BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap())
}

/// Order of P-256 minus a number.
fn negate(number: &[u8]) -> Vec<u8> {
    let mut difference = P256_ORDER.to_vec();
    let mut borrow = 0;
    for (digit, subtrahend) in difference.iter_mut().zip(number).rev() {
        let value = i16::from(*digit) - i16::from(*subtrahend) - borrow;
        borrow = i16::from(value < 0);
        *digit = u8::try_from(value + borrow * 256).unwrap();
    }
    difference
}

/// `SEQUENCE { INTEGER r, INTEGER s }`, as TLS and Java encode it.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let first = number.iter().position(|byte| *byte != 0).unwrap();
        let sign: &[u8] = if number[first] >= 0x80 { &[0] } else { &[] };
        let content = [sign, &number[first..]].concat();
        [&[2, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    };
    let content = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
}

/// Sets a bit of the last character that decodes to nothing. 64 bytes leave 4 such bits.
fn unused_bits_set(token: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = token.as_bytes().to_vec();
    let last = bytes.last_mut().unwrap();
    let index = ALPHABET.iter().position(|character| character == last).unwrap();
    *last = ALPHABET[index | 1];
    String::from_utf8(bytes).unwrap()
}
