//! Tokens as well-known issuers make them, each with the entry that accepts it and the token that is usually taken for it.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::uuid;

use super::signer::{Draft, SigningKey};
use super::{NOW, WORLD, at, claim, guid, issuer, key_set, outcome};
use crate::domain::{Groups, Sid, UserId};
use crate::http::auth::jwt::{ClaimMapping, Issuer, KeySet, Rejection, Requirement, Token, Verified};
use crate::runtime::jwt::{Algorithm, KeyUse};

fn require(claim: &str, values: &[&str]) -> Requirement {
    Requirement { claim: claim.to_owned(), values: values.iter().map(|value| (*value).to_owned()).collect() }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// An issuer with one entry and its keys.
struct Scene {
    entry: Issuer,
    key: &'static SigningKey,
    keys: KeySet,
    header: Value,
    claims: Value,
}

impl Scene {
    fn new(entry: Issuer, key: &'static SigningKey, header: Value, claims: Value) -> Self {
        Self { entry, key, keys: key_set(&[key]), header, claims }
    }

    /// The token with some claims replaced; null removes a claim.
    fn check(&self, changes: &Value) -> Result<Verified, Rejection> {
        self.check_signed(changes, &json!({}))
    }

    fn check_signed(&self, changes: &Value, header: &Value) -> Result<Verified, Rejection> {
        let mut draft = Draft::new(self.header.clone(), self.claims.clone());
        for (name, value) in changes.as_object().unwrap() {
            draft = if value.is_null() { draft.no_claim(name) } else { draft.claim(name, value.clone()) };
        }
        for (name, value) in header.as_object().unwrap() {
            draft = if value.is_null() { draft.no_header(name) } else { draft.header(name, value.clone()) };
        }
        Token::read(&draft.sign(self.key), std::slice::from_ref(&self.entry))?.verify(&self.keys, at(NOW))
    }

    fn refusal(&self, changes: &Value) -> &'static str {
        outcome(&self.check(changes))
    }
}

/// ADFS 2019: the issuer of access tokens is not that of its discovery document.
fn adfs() -> Scene {
    let entry = Issuer {
        audiences: texts(&["microsoft:identityserver:urn:cmgate"]),
        algorithms: vec![Algorithm::Rs256],
        types: texts(&["JWT"]),
        require: vec![require("ver", &["1.0"]), require("appid", &["7d1c5a2e-5a3c-4a44-9f1d-0d6f7d2d8a11"])],
        user: ClaimMapping {
            subject: claim("primarysid"),
            uuid: guid("objectguid"),
            sid: claim("primarysid"),
            upn: claim("upn"),
            name: claim("upn"),
            groups: claim("groupsid"),
        },
        max_lifetime: Duration::from_hours(8),
        ..issuer("adfs", "http://fs.corp.test/adfs/services/trust")
    };
    let claims = json!({
        "aud": "microsoft:identityserver:urn:cmgate", "iss": "http://fs.corp.test/adfs/services/trust",
        "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "apptype": "Public", "appid": "7d1c5a2e-5a3c-4a44-9f1d-0d6f7d2d8a11",
        "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        "auth_time": "2027-01-15T08:00:00.000Z", "ver": "1.0", "scp": "openid user_impersonation", "sub": "pairwise",
        "upn": "alice@corp.test", "primarysid": "S-1-5-21-1-2-3-1105", "groupsid": "S-1-5-21-1-2-3-513",
        "objectguid": "3JAVjzLZZkuOaC6RxYgHgA==",
    });
    Scene::new(entry, &WORLD.rsa, json!({"typ": "JWT", "x5t": "a-rsa"}), claims)
}

#[test]
fn adfs_access_tokens() {
    let adfs = adfs();
    let Verified { caller, subject, .. } = adfs.check(&json!({})).unwrap();
    assert_eq!(caller.user, UserId::new(uuid!("8f1590dc-d932-4b66-8e68-2e91c5880780")));
    assert_eq!((subject.as_str(), caller.name.as_str()), ("S-1-5-21-1-2-3-1105", "alice@corp.test"));
    let group = |rid: &str| Sid::parse(&format!("S-1-5-21-1-2-3-{rid}")).unwrap();
    assert_eq!(caller.groups, Groups::Known(vec![group("513")]), "one group is a text");
    let several = adfs.check(&json!({"groupsid": ["S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1200"]})).unwrap();
    assert_eq!(several.caller.groups, Groups::Known(vec![group("513"), group("1200")]), "several are a list");

    // The ID token of the same sign-in: its issuer is that of the discovery document, its audience the client.
    assert_eq!(adfs.refusal(&json!({"iss": "https://fs.corp.test/adfs"})), "issuer");
    assert_eq!(adfs.refusal(&json!({"aud": "7d1c5a2e-5a3c-4a44-9f1d-0d6f7d2d8a11"})), "audience");
    assert_eq!(adfs.refusal(&json!({"appid": "0d6f7d2d-8a11-4a44-9f1d-7d1c5a2e5a3c"})), "requirement");
    assert_eq!(adfs.refusal(&json!({"exp": NOW + 8 * 3600 + 1})), "lifetime");
}

const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Entra ID; the registration of the API sets the version.
fn entra(iss: &str, aud: &str, version: &str) -> Scene {
    let entry = Issuer {
        audiences: texts(&[aud]),
        algorithms: vec![Algorithm::Rs256],
        types: texts(&["JWT"]),
        require: vec![require("tid", &[TENANT]), require("ver", &[version]), require("scp", &["requests.write"])],
        user: ClaimMapping {
            subject: claim("oid"),
            uuid: claim("oid"),
            sid: claim("onprem_sid"),
            upn: None,
            name: claim(if version == "1.0" { "upn" } else { "preferred_username" }),
            groups: claim("groups"),
        },
        ..issuer("entra", iss)
    };
    let claims = json!({
        "aud": aud, "iss": iss, "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 4000, "aio": "x", "tid": TENANT,
        "oid": "0f8fad5b-d9cb-469f-a165-70867728950e", "sub": "pairwise", "scp": "openid requests.write", "ver": version,
        "upn": "alice@corp.test", "preferred_username": "alice@corp.test", "onprem_sid": "S-1-5-21-1-2-3-1105",
        "groups": ["S-1-5-21-1-2-3-513"], "uti": "x",
    });
    Scene::new(entry, &WORLD.rsa, json!({"typ": "JWT", "x5t": "x"}), claims)
}

#[test]
fn entra_access_tokens_of_both_versions() {
    let v1 = entra(&format!("https://sts.windows.net/{TENANT}/"), "api://cmgate", "1.0");
    let v2 = entra(
        &format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        "6731de76-14a6-49ae-97bc-6eba6914391e",
        "2.0",
    );
    for scene in [&v1, &v2] {
        let Verified { caller, .. } = scene.check(&json!({})).unwrap();
        assert_eq!(caller.user, UserId::new(uuid!("0f8fad5b-d9cb-469f-a165-70867728950e")));
        assert_eq!(caller.groups, Groups::Known(vec![Sid::parse("S-1-5-21-1-2-3-513").unwrap()]));
        let overage = json!({
            "groups": null, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}},
        });
        assert_eq!(scene.check(&overage).unwrap().caller.groups, Groups::Unknown, "more than 200 groups");
        assert_eq!(scene.refusal(&json!({"tid": "72f988bf-86f1-41af-91ab-2d7cd011db47"})), "requirement");
        // A token of an application has roles and no scopes.
        assert_eq!(scene.refusal(&json!({"scp": null, "roles": ["requests.write"]})), "requirement");
        assert_eq!(scene.refusal(&json!({"aud": "00000003-0000-0000-c000-000000000000"})), "audience");
    }
    // The other version of the same tenant.
    let iss = &v2.entry.issuers[0];
    assert_eq!(v1.refusal(&json!({"iss": iss, "ver": "2.0"})), "issuer");
    assert_eq!(v2.refusal(&json!({"ver": "1.0"})), "requirement");
}

fn keycloak() -> Scene {
    let entry = Issuer {
        audiences: texts(&["cmgate"]),
        algorithms: vec![Algorithm::Rs256],
        types: texts(&["JWT"]),
        require: vec![require("typ", &["Bearer"]), require("/realm_access/roles", &["requests"])],
        user: ClaimMapping { name: claim("preferred_username"), ..ClaimMapping::default() },
        ..issuer("keycloak", "https://sso.test/realms/corp")
    };
    let claims = json!({
        "exp": NOW + 300, "iat": NOW, "jti": "onrtac:1", "iss": "https://sso.test/realms/corp", "aud": ["cmgate", "account"],
        "sub": "f3b2c1d0-0000-4000-8000-000000000001", "typ": "Bearer", "azp": "console", "sid": "8d2c1b", "acr": "1",
        "realm_access": {"roles": ["offline_access", "requests"]}, "scope": "email profile", "preferred_username": "alice",
    });
    Scene::new(entry, &WORLD.rsa, json!({"typ": "JWT"}), claims)
}

#[test]
fn keycloak_access_tokens_but_not_id_tokens() {
    let keycloak = keycloak();
    let Verified { caller, .. } = keycloak.check(&json!({})).unwrap();
    assert_eq!(caller.user, UserId::of_subject("keycloak", "f3b2c1d0-0000-4000-8000-000000000001"));
    assert_eq!((caller.name.as_str(), caller.sid), ("alice", None));

    // The ID token has the same header, and the client as its audience.
    assert_eq!(keycloak.refusal(&json!({"typ": "ID", "aud": "cmgate", "at_hash": "x", "nonce": "x"})), "requirement");
    assert_eq!(keycloak.refusal(&json!({"typ": "Refresh"})), "requirement");
    assert_eq!(keycloak.refusal(&json!({"aud": null})), "audience", "no mapper for the audience");
    assert_eq!(keycloak.refusal(&json!({"iss": "http://sso.test/realms/corp"})), "issuer", "another host header");
    // A session is no account.
    let mut confused = self::keycloak();
    confused.entry.user.sid = claim("sid");
    assert_eq!(confused.refusal(&json!({})), "mapping");
}

/// Keycloak lists its key for encryption first, in the same set.
#[test]
fn keycloak_key_sets() {
    let keycloak = keycloak();
    let mut encryption = WORLD.rsa.jwk();
    encryption["use"] = json!("enc");
    encryption["alg"] = json!("RSA-OAEP");
    let set = json!({"keys": [encryption, keycloak.key.jwk()]}).to_string();
    let scene = Scene { keys: KeySet::parse(set.as_bytes(), KeyUse::Sig).unwrap(), ..keycloak };
    assert_eq!(scene.refusal(&json!({})), "accepted");
}

fn kubernetes() -> Scene {
    let entry = Issuer {
        audiences: texts(&["cmgate"]),
        algorithms: vec![Algorithm::Rs256],
        types: texts(&[""]),
        require: vec![require("/kubernetes.io/namespace", &["prod"])],
        max_lifetime: Duration::from_hours(2),
        ..issuer("cluster", "https://kubernetes.default.svc.cluster.local")
    };
    let claims = json!({
        "aud": ["cmgate"], "exp": NOW + 3607, "iat": NOW, "nbf": NOW, "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": "5d1f5a0e-0000-4000-8000-000000000002", "sub": "system:serviceaccount:prod:issuer",
        "kubernetes.io": {
            "namespace": "prod", "pod": {"name": "issuer-0", "uid": "x"}, "serviceaccount": {"name": "issuer", "uid": "x"},
        },
    });
    Scene::new(entry, &WORLD.rsa, json!({}), claims)
}

#[test]
fn kubernetes_service_accounts() {
    let kubernetes = kubernetes();
    let Verified { caller, subject, .. } = kubernetes.check(&json!({})).unwrap();
    assert_eq!(subject, "system:serviceaccount:prod:issuer");
    assert_eq!(caller.groups, Groups::Known(Vec::new()));

    // Tokens of secrets, before Kubernetes 1.24, neither expire nor have an audience.
    assert_eq!(kubernetes.refusal(&json!({"exp": null, "aud": null})), "exp_format");
    assert_eq!(kubernetes.refusal(&json!({"aud": ["https://kubernetes.default.svc.cluster.local"]})), "audience");
    // Asked for 3607 s, the API server extends a token to a year.
    assert_eq!(kubernetes.refusal(&json!({"exp": NOW + 365 * 24 * 3600})), "lifetime");
    assert_eq!(kubernetes.refusal(&json!({"kubernetes.io": {"namespace": "test"}})), "requirement");
    assert_eq!(outcome(&kubernetes.check_signed(&json!({}), &json!({"typ": "JWT"}))), "type");
}

fn spiffe() -> Scene {
    let entry = Issuer {
        algorithms: vec![Algorithm::Es256],
        types: texts(&["", "JWT", "JOSE"]),
        max_lifetime: Duration::from_hours(1),
        key_use: KeyUse::JwtSvid,
        ..issuer("spire", "spiffe://corp.test")
    };
    let claims = json!({
        "aud": ["urn:cmgate"], "exp": NOW + 300, "iat": NOW, "sub": "spiffe://corp.test/ns/prod/sa/issuer",
    });
    let mut bundle = WORLD.ec.jwk();
    bundle["use"] = json!("jwt-svid");
    let bundle = json!({"keys": [bundle], "spiffe_sequence": 1, "spiffe_refresh_hint": 300}).to_string();
    let keys = KeySet::parse(bundle.as_bytes(), KeyUse::JwtSvid).unwrap();
    Scene { keys, ..Scene::new(entry, &WORLD.ec, json!({"typ": "JWT"}), claims) }
}

#[test]
fn spiffe_jwt_svids() {
    let spiffe = spiffe();
    let Verified { caller, subject, .. } = spiffe.check(&json!({})).unwrap();
    assert_eq!(subject, "spiffe://corp.test/ns/prod/sa/issuer");
    assert_eq!(caller.user, UserId::of_subject("spire", &subject));
    assert!(spiffe.check_signed(&json!({}), &json!({"typ": null})).is_ok(), "typ is optional");
    assert!(spiffe.check(&json!({"iss": "spiffe://corp.test"})).is_ok(), "iss is optional");

    assert_eq!(spiffe.refusal(&json!({"sub": "spiffe://other.test/ns/prod/sa/issuer"})), "issuer");
    assert_eq!(spiffe.refusal(&json!({"sub": "spiffe://corp.test.evil.test/issuer"})), "issuer");
    assert_eq!(spiffe.refusal(&json!({"sub": "spiffe://corp.test/../issuer"})), "issuer_format");
    assert_eq!(spiffe.refusal(&json!({"sub": "issuer"})), "issuer_format");
    // With `iss`, the subject does not choose the entry, so it is checked.
    let iss = "spiffe://corp.test";
    assert_eq!(spiffe.refusal(&json!({"iss": iss, "sub": "spiffe://other.test/issuer"})), "trust_domain");
    assert_eq!(spiffe.refusal(&json!({"iss": iss, "sub": "issuer"})), "trust_domain");
    assert_eq!(spiffe.refusal(&json!({"iss": "https://oidc.corp.test"})), "issuer");
    assert_eq!(spiffe.refusal(&json!({"aud": ["spiffe://corp.test/other"]})), "audience");
    assert_eq!(spiffe.refusal(&json!({"exp": null})), "exp_format");
}

/// A usual entry must not be chosen by a subject that looks like a SPIFFE ID.
#[test]
fn only_svid_entries_are_chosen_by_trust_domain() {
    let mut spiffe = spiffe();
    spiffe.entry.key_use = KeyUse::Sig;
    assert_eq!(spiffe.refusal(&json!({})), "issuer");
}
