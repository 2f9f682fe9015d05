//! The sample entries of the example file accept tokens shaped like those of their issuers, and refuse the ones that are usually
//! taken for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use uuid::{Uuid, uuid};

use super::*;
use crate::domain::{Groups, Sid, Timestamp, UserId};
use crate::http::auth::jwt::keys::fixture::SigningKey;
use crate::http::auth::jwt::{KeySet, Rejection, Token, Verified};
use crate::runtime::jwt::{Algorithm, KeyUse};

/// The time of every check, in seconds since 1970.
const NOW: i64 = 1_800_000_000;
const TENANT: &str = "4d2b1c6e-5f0e-4b8a-9a55-0c3d6a1f7b20";
const OID: Uuid = uuid!("0f8fad5b-d9cb-469f-a165-70867728950e");

/// The samples by name, read from the file as an operator would set them.
fn samples() -> BTreeMap<String, Issuer> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/config.example.toml");
    let example = fs::read_to_string(path).unwrap();
    let lines = example.lines().filter_map(|line| line.strip_prefix("#   "));
    let is_other_table = |line: &&str| line.starts_with('[') && *line != "[[auth.jwt]]";
    let lines = lines.skip_while(|line| *line != "[[auth.jwt]]").take_while(|line| !is_other_table(line));
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let config = Config::load(Some(file.path()), []).unwrap();
    let AuthenticationSettings::Proof(proof) = settings(&config) else { panic!("no sample was found") };
    proof.tokens.into_iter().map(|entry| (entry.issuer.name.as_ref().to_owned(), entry.issuer)).collect()
}

/// A sample, and a key of its issuer.
struct Sample {
    issuer: Issuer,
    key: SigningKey,
    typ: Option<&'static str>,
    claims: Value,
}

impl Sample {
    /// The sample with this name, and the claims of a good token besides its times.
    fn new(name: &str, typ: Option<&'static str>, mut claims: Value) -> Self {
        let mut issuer = samples().remove(name).unwrap();
        // The issuers sign with RSA; the check is the same.
        issuer.algorithms = vec![Algorithm::EdDsa];
        claims["iat"] = NOW.into();
        claims["nbf"] = NOW.into();
        claims["exp"] = (NOW + 3_600).into();
        Self { issuer, key: SigningKey::new("one"), typ, claims }
    }

    /// Checks the token with some claims replaced; null removes a claim.
    fn check(&self, changes: &Value) -> Result<Verified, Rejection> {
        let mut claims = self.claims.as_object().unwrap().clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
        let token = self.key.token_of_type(self.typ, &claims.into());
        let mut jwk = self.key.jwk();
        jwk["use"] = match self.issuer.key_use {
            KeyUse::Sig => "sig".into(),
            KeyUse::JwtSvid => "jwt-svid".into(),
        };
        let keys = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes(), self.issuer.key_use).unwrap();
        let now = Timestamp::from_micros(NOW * 1_000_000).unwrap();
        Token::read(&token, std::slice::from_ref(&self.issuer))?.verify(&keys, now)
    }

    /// The caller of the unchanged token, and its subject.
    fn caller(&self) -> (Caller, String) {
        let verified = self.check(&json!({})).unwrap();
        (verified.caller, verified.subject)
    }

    /// The name of the check that refuses the changed token.
    fn refusal(&self, changes: &Value) -> &'static str {
        self.check(changes).unwrap_err().check()
    }
}

fn sid(rid: u32) -> Sid {
    Sid::parse(&format!("S-1-5-21-1-2-3-{rid}")).unwrap()
}

#[test]
fn adfs() {
    let adfs = Sample::new(
        "adfs",
        Some("JWT"),
        json!({
            "iss": "http://fs.corp.example/adfs/services/trust", "aud": "urn:cmgate", "ver": "1.0", "sub": "pairwise",
            "appid": "7d1c2c9f-6d7e-4f0a-9b1d-3f6f2a4f5a11", "auth_time": "2027-01-15T08:00:00.000Z", "upn": "alice@corp.example",
            "primarysid": "S-1-5-21-1-2-3-1105", "groupsid": "S-1-5-21-1-2-3-513", "objectguid": "3JAVjzLZZkuOaC6RxYgHgA==",
        }),
    );
    let (caller, subject) = adfs.caller();
    assert_eq!(caller.user, UserId::new(uuid!("8f1590dc-d932-4b66-8e68-2e91c5880780")));
    assert_eq!((caller.name.as_str(), subject.as_str()), ("alice@corp.example", "S-1-5-21-1-2-3-1105"));
    assert_eq!((caller.sid, caller.groups), (Some(sid(1105)), Groups::Known(vec![sid(513)])));
    assert_eq!(adfs.refusal(&json!({"iss": "https://fs.corp.example/adfs"})), "issuer", "an ID token");
    assert_eq!(adfs.refusal(&json!({"appid": "another client"})), "requirement");
    assert_eq!(adfs.refusal(&json!({"exp": NOW + 8 * 3_600 + 1})), "lifetime");
}

#[test]
fn entra() {
    for (name, iss, aud, version, upn) in [
        ("entra-v1", format!("https://sts.windows.net/{TENANT}/"), "api://cmgate", "1.0", "unique_name"),
        (
            "entra-v2",
            format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
            "8a4f1f7c-2c0d-4f9e-8f43-5b3a9f0e6d11",
            "2.0",
            "preferred_username",
        ),
    ] {
        let entra = Sample::new(
            name,
            Some("JWT"),
            json!({
                "iss": iss, "aud": aud, "ver": version, "tid": TENANT, "oid": OID.to_string(), "sub": "pairwise",
                "scp": "openid requests", upn: "alice@corp.example", "groups": ["S-1-5-21-1-2-3-513"],
            }),
        );
        let (caller, subject) = entra.caller();
        assert_eq!((caller.user, caller.name.as_str()), (UserId::new(OID), "alice@corp.example"), "{name}");
        assert_eq!((caller.groups, subject), (Groups::Known(vec![sid(513)]), OID.to_string()), "{name}");
        let overage = json!({"groups": null, "_claim_names": {"groups": "src1"}});
        assert_eq!(entra.check(&overage).unwrap().caller.groups, Groups::Unknown, "{name}: more than 200 groups");
        let cloud = json!({"groups": [OID.to_string()]});
        assert_eq!(entra.check(&cloud).unwrap().caller.groups, Groups::Unknown, "{name}: groups without SIDs");
        assert_eq!(
            entra.refusal(&json!({"scp": null, "roles": ["requests"]})),
            "requirement",
            "{name}: an application"
        );
        assert_eq!(entra.refusal(&json!({"tid": OID.to_string()})), "requirement", "{name}: another tenant");
        assert_eq!(entra.refusal(&json!({"aud": "00000003-0000-0000-c000-000000000000"})), "audience", "{name}");
    }
}

#[test]
fn keycloak() {
    let keycloak = Sample::new(
        "keycloak",
        Some("JWT"),
        json!({
            "iss": "https://login.corp.example/realms/corp", "aud": ["cmgate", "account"], "typ": "Bearer", "azp": "console",
            "sub": "f3b2c1d0-0000-4000-8000-000000000001", "sid": "8d2c1b", "preferred_username": "alice",
        }),
    );
    let (caller, subject) = keycloak.caller();
    assert_eq!(caller.user, UserId::of_subject("keycloak", &subject));
    assert_eq!((caller.name.as_str(), caller.sid), ("alice", None), "sid is a session, not an account");
    assert_eq!(keycloak.refusal(&json!({"typ": "ID"})), "requirement");
    assert_eq!(keycloak.refusal(&json!({"typ": "Refresh"})), "requirement");
    assert_eq!(keycloak.refusal(&json!({"aud": null})), "audience", "there is no audience mapper");
}

#[test]
fn kubernetes() {
    let kubernetes = Sample::new(
        "kubernetes",
        None,
        json!({
            "iss": "https://kubernetes.default.svc.cluster.local", "aud": ["cmgate"], "sub": "system:serviceaccount:prod:issuer",
            "kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "issuer"}},
        }),
    );
    let (caller, subject) = kubernetes.caller();
    assert_eq!(
        (caller.user, subject.as_str()),
        (UserId::of_subject("kubernetes", &subject), "system:serviceaccount:prod:issuer")
    );
    assert_eq!(kubernetes.refusal(&json!({"exp": NOW + 365 * 24 * 3_600})), "lifetime", "extended to a year");
    assert_eq!(kubernetes.refusal(&json!({"exp": null, "aud": null})), "exp_format", "a token of a secret");
    assert_eq!(kubernetes.refusal(&json!({"kubernetes.io": {"namespace": "test"}})), "requirement");
}

#[test]
fn spiffe() {
    let claims = json!({"aud": ["spiffe://corp.example/cmgate"], "sub": "spiffe://corp.example/ns/prod/sa/issuer"});
    for typ in [None, Some("JWT"), Some("JOSE")] {
        let spiffe = Sample::new("spiffe", typ, claims.clone());
        let (caller, subject) = spiffe.caller();
        assert_eq!(caller.user, UserId::of_subject("spiffe", "spiffe://corp.example/ns/prod/sa/issuer"));
        assert_eq!(caller.name, subject);
        assert_eq!(spiffe.refusal(&json!({"sub": "spiffe://other.example/ns/prod/sa/issuer"})), "issuer");
        assert_eq!(spiffe.refusal(&json!({"aud": ["spiffe://corp.example/other"]})), "audience");
    }
}
