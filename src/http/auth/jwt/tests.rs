//! Tokens of every kind against the check: attacks, the tokens of real issuers, and random ones.

mod attacks;
mod identity;
mod issuers;
mod key_sets;
mod properties;
mod signer;
mod specifications;

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;

use self::signer::{Draft, SigningKey};
use super::{ClaimMapping, Issuer, KeySet, Rejection, Token, Verified};
use crate::domain::Timestamp;
use crate::runtime::jwt::{Algorithm, ClaimEncoding, ClaimReader, KeyUse};

/// The time of every check, in seconds since 1970.
const NOW: i64 = 1_800_000_000;
/// The issuer of most tokens.
const ISSUER: &str = "https://login.test/";
/// Another one, whose tokens may be long.
const OTHER_ISSUER: &str = "https://other.test/";
const AUDIENCE: &str = "urn:cmgate";

/// Two issuers and their keys.
struct World {
    rsa: SigningKey,
    ec: SigningKey,
    /// A second P-256 key of the first issuer.
    second_ec: SigningKey,
    p384: SigningKey,
    ed: SigningKey,
    /// The only key of the other issuer.
    foreign: SigningKey,
    issuers: [Issuer; 2],
    key_sets: [KeySet; 2],
}

static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    fn new() -> Self {
        let (rsa, ec, second_ec) = (SigningKey::rsa("a-rsa"), SigningKey::p256("a-ec"), SigningKey::p256("a-ec-2"));
        let (p384, ed, foreign) = (SigningKey::p384("a-p384"), SigningKey::ed25519("a-ed"), SigningKey::p256("b-ec"));
        let ours = key_set(&[&rsa, &ec, &second_ec, &p384, &ed]);
        let theirs = key_set(&[&foreign]);
        let issuers = [issuer("a", ISSUER), Issuer { max_bytes: 64 << 10, ..issuer("b", OTHER_ISSUER) }];
        Self { rsa, ec, second_ec, p384, ed, foreign, issuers, key_sets: [ours, theirs] }
    }

    fn check(&self, token: &str) -> Result<Verified, Rejection> {
        let token = Token::read(token, &self.issuers)?;
        token.verify(&self.key_sets[token.issuer()], at(NOW))
    }

    /// The name of the check that refuses a token, or `accepted`.
    fn outcome(&self, token: &str) -> &'static str {
        outcome(&self.check(token))
    }
}

fn outcome(result: &Result<Verified, Rejection>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(rejection) => rejection.check(),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

/// An entry that accepts access tokens (RFC 9068) of one issuer.
fn issuer(name: &str, iss: &str) -> Issuer {
    Issuer {
        name: name.into(),
        issuers: vec![iss.to_owned()],
        audiences: vec![AUDIENCE.to_owned(), "https://cmgate.test".to_owned()],
        algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa],
        types: vec!["at+jwt".to_owned()],
        require: Vec::new(),
        user: ClaimMapping::default(),
        max_lifetime: Duration::from_hours(24),
        skew: Duration::from_secs(30),
        max_bytes: 16 << 10,
        key_use: KeyUse::Sig,
    }
}

/// A key set with the public keys of some signing keys.
fn key_set(keys: &[&SigningKey]) -> KeySet {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), KeyUse::Sig).unwrap()
}

/// Reads a claim as text.
fn claim(name: &str) -> Option<ClaimReader> {
    (!name.is_empty()).then(|| ClaimReader { claim: name.to_owned(), encoding: ClaimEncoding::Text })
}

/// Reads a claim as the GUID of a directory object.
fn guid(name: &str) -> Option<ClaimReader> {
    claim(name).map(|reader| ClaimReader { encoding: ClaimEncoding::GuidLeBase64, ..reader })
}

/// A token of the first issuer that is valid when it is signed.
fn draft() -> Draft {
    Draft::new(
        json!({"typ": "at+jwt"}),
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW - 60, "exp": NOW + 600, "jti": "1",
        }),
    )
}

/// A token of the other issuer.
fn other_draft() -> Draft {
    draft().claim("iss", OTHER_ISSUER)
}

/// Operators look up the name of a check there.
#[test]
fn the_documentation_lists_every_check() {
    let page = include_str!("../../../../docs/tokens.md");
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut documented: Vec<_> = names.flat_map(|names| names.split(", ")).map(|name| name.trim_matches('`')).collect();
    // The first ones are not the token's, or are checked around the pure function.
    let others =
        ["no_token", "no_keys", "denied", "certificate", "authorization", "token68", "requirement", "trust_domain"];
    let mut checks: Vec<_> = attacks::CHECKS.into_iter().chain(others).collect();
    documented.sort_unstable();
    checks.sort_unstable();
    assert_eq!(documented, checks);
}
