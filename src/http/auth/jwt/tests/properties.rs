//! What holds for every token, however random. It takes the place of a fuzzer: nothing panics, and nothing is accepted that the
//! issuer did not sign.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::any;
use proptest::sample::{Index, select};
use proptest::strategy::{Just, Strategy};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use super::signer::{encode, sign};
use super::{AUDIENCE, ISSUER, NOW, OTHER_ISSUER, WORLD, draft, outcome};
use crate::http::auth::jwt::{KeySet, bearer};
use crate::runtime::jwt::KeyUse;

/// JSON that is more often than not what the check looks for.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (NOW - 100..NOW + 100).prop_map(Value::from),
        select(vec![ISSUER, OTHER_ISSUER, AUDIENCE, "RS256", "at+jwt", "a-rsa", "alice", "S-1-1-0", "", "\0"])
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(".{0,4}", inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An object of some of these members.
fn object(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    vec((select(names), json_value()), 0..8)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

const HEADER_MEMBERS: &[&str] = &["alg", "typ", "kid", "crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5c", "x"];
const CLAIMS: &[&str] = &["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "groups", "hasgroups", "x"];
const KEY_MEMBERS: &[&str] = &["kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "n", "e", "k", "d", "x5c"];

/// A claim that may be right.
fn claim(
    name: &'static str,
    right: Vec<Value>,
    wrong: Vec<Value>,
) -> impl Strategy<Value = (&'static str, Value, bool)> {
    let right = select(right).prop_map(move |value| (name, value, true));
    let wrong = select(wrong).prop_map(move |value| (name, value, false));
    // Mostly right, so that tokens with no wrong claim occur.
    prop_oneof![6 => right, 1 => wrong]
}

fn claims() -> impl Strategy<Value = Vec<(&'static str, Value, bool)>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    (
        claim("aud", vec![json!(AUDIENCE), json!(["x", AUDIENCE])], vec![json!("x"), json!([]), json!(1)]),
        claim("sub", texts(&["alice", "bob", "ä"]), vec![json!(""), json!(1), json!("\u{7f}")]),
        claim(
            "exp",
            vec![json!(NOW + 1), json!(NOW + 9000), json!(NOW - 29)],
            vec![json!(NOW - 30), json!("1"), json!(-1)],
        ),
        claim("nbf", vec![json!(0), json!(NOW + 30)], vec![json!(NOW + 31), json!(null), json!(0.5)]),
        claim("iat", vec![json!(NOW - 9000), json!(NOW - 40)], vec![json!(NOW + 9001), json!(NOW - 90_000), json!([])]),
        claim("jti", texts(&["1", "x"]), vec![json!(1), json!("")]),
        claim("x", vec![json!(null), json!({"x": []})], vec![json!("\0"), json!({"\0": 1})]),
    )
        .prop_map(|(aud, sub, exp, nbf, iat, jti, x)| vec![aud, sub, exp, nbf, iat, jti, x])
}

proptest! {
    #[test]
    fn no_text_is_a_token(text in any::<String>()) {
        prop_assert!(WORLD.check(&text).is_err());
    }

    #[test]
    fn no_three_parts_are_a_token(
        header in vec(any::<u8>(), 0..64),
        payload in vec(any::<u8>(), 0..64),
        signature in vec(any::<u8>(), 0..80),
    ) {
        let token = format!("{}.{}.{}", encode(header), encode(payload), encode(signature));
        prop_assert!(WORLD.check(&token).is_err());
    }

    #[test]
    fn no_headers_panic(values in vec(vec(prop_oneof![select(b"Bearer .=".to_vec()), any::<u8>()], 0..24), 0..3)) {
        let mut headers = HeaderMap::new();
        for value in values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok()) {
            headers.append(AUTHORIZATION, value);
        }
        if let Ok(Some(token)) = bearer(&headers) {
            prop_assert!(!token.is_empty() && token.is_ascii() && !token.contains(' '));
        }
    }

    #[test]
    fn no_key_set_panics(keys in vec(object(KEY_MEMBERS), 0..4), noise in option::of(any::<Index>())) {
        let mut text = json!({"keys": keys}).to_string().into_bytes();
        if let Some(index) = noise {
            let index = index.index(text.len());
            text[index] ^= 4;
        }
        if let Ok(set) = KeySet::parse(&text, KeyUse::Sig) {
            prop_assert_eq!(set.usable() + set.skipped().count(), keys.len());
        }
    }

    /// Random members around a right signature. The random ones never make a full set of claims.
    #[test]
    fn no_signed_nonsense_is_accepted(header in object(HEADER_MEMBERS), payload in object(CLAIMS)) {
        let token = sign(&WORLD.rsa, "RS256", &Value::Object(header).to_string(), &Value::Object(payload).to_string());
        prop_assert!(WORLD.check(&token).is_err());
    }

    /// Some members of a good token replaced at random: if it is accepted, the caller is still that of `sub`.
    #[test]
    fn replaced_members_never_change_who_the_subject_is(header in object(HEADER_MEMBERS), payload in object(CLAIMS)) {
        let draft = header.into_iter().fold(draft(), |draft, (name, value)| draft.header(&name, value));
        let draft = payload.into_iter().fold(draft, |draft, (name, value)| draft.claim(&name, value));
        let subject = serde_json::from_str::<Value>(&draft.payload_text()).unwrap()["sub"].clone();
        if let Ok(verified) = WORLD.check(&draft.sign(&WORLD.rsa)) {
            prop_assert_eq!(json!(verified.subject), subject);
        }
    }

    /// A token is accepted if each of its claims is right, and only then.
    #[test]
    fn one_wrong_claim_is_enough(claims in claims(), skipped in select(vec!["", "nbf", "iat", "jti", "x"])) {
        let kept: Vec<_> = claims.into_iter().filter(|(name, _, _)| *name != skipped).collect();
        let draft = kept.iter().fold(draft().no_claim(skipped), |draft, (name, value, _)| draft.claim(name, value.clone()));
        let is_right = kept.iter().all(|(_, _, is_right)| *is_right);
        let result = WORLD.check(&draft.sign(&WORLD.ed));
        prop_assert_eq!(result.is_ok(), is_right, "{}: {:?}", outcome(&result), kept);
    }

    #[test]
    fn no_token_survives_an_edit(
        key in select(vec![&WORLD.rsa, &WORLD.ec, &WORLD.ed]),
        at in any::<Index>(),
        edit in edits(),
    ) {
        let good = draft().sign(key);
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        match edit {
            Edit::Replace(byte) => bytes[at] = byte,
            Edit::Insert(byte) => bytes.insert(at, byte),
            Edit::Remove => drop(bytes.remove(at)),
            Edit::Swap => bytes.swap(at, at.saturating_sub(1)),
            Edit::Truncate => bytes.truncate(at),
        }
        let edited = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(WORLD.check(&edited).is_ok(), edited == good);
    }
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Replace(u8),
    Insert(u8),
    Remove,
    Swap,
    Truncate,
}

fn edits() -> impl Strategy<Value = Edit> {
    let byte = || prop_oneof![select(b"AZaz09-_.=+/ ".to_vec()), 0_u8..128];
    prop_oneof![
        byte().prop_map(Edit::Replace),
        byte().prop_map(Edit::Insert),
        Just(Edit::Remove),
        Just(Edit::Swap),
        Just(Edit::Truncate),
    ]
}

/// Every byte of a token, and every bit that leaves it ASCII.
#[test]
fn no_token_survives_a_flipped_bit() {
    let good = draft().sign(&WORLD.rsa);
    for position in 0..good.len() {
        for bit in 0..7 {
            let mut bytes = good.clone().into_bytes();
            bytes[position] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).unwrap();
            assert!(WORLD.check(&flipped).is_err(), "bit {bit} of byte {position}");
        }
    }
}
