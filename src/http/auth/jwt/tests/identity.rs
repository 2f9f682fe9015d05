//! Who a caller is: the claims that an entry maps, and what it requires.

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::{AUDIENCE, ISSUER, NOW, WORLD, World, at, claim, draft, guid, issuer, outcome};
use crate::domain::{Caller, Groups, Proof, ProofMethod, Sid, Upn, UserId};
use crate::http::auth::jwt::{CertificateThumbprint, ClaimMapping, Issuer, Rejection, Requirement, Token, Verified};

fn sid(text: &str) -> Sid {
    Sid::parse(text).unwrap()
}

/// Checks a token with more claims, for an entry that differs from that of the world.
fn check(entry: Issuer, claims: &Value) -> Result<Verified, Rejection> {
    let members = claims.as_object().unwrap();
    let draft = members.iter().fold(draft(), |draft, (name, value)| draft.claim(name, value.clone()));
    let World { rsa, key_sets: [keys, _], .. } = &*WORLD;
    let token = draft.sign(rsa);
    Token::read(&token, &[entry]).unwrap().verify(keys, at(NOW))
}

fn mapped(user: ClaimMapping, claims: &Value) -> Result<Caller, Rejection> {
    check(Issuer { user, ..issuer("a", ISSUER) }, claims).map(|verified| verified.caller)
}

#[test]
fn a_caller_is_its_subject_by_default() {
    let verified =
        check(issuer("a", ISSUER), &json!({"name": "Alice", "sid": "S-1-5-32-544", "groups": ["S-1-5-32-544"]}));
    let expected = Verified {
        caller: Caller {
            user: UserId::of_subject("a", "alice"),
            name: "alice".to_owned(),
            sid: None,
            upn: None,
            groups: Groups::Known(Vec::new()),
            proof: Proof { method: ProofMethod::Token, entry: Some("a".into()), expires_at: Some(at(NOW + 600)) },
        },
        subject: "alice".to_owned(),
        expires_at: at(NOW + 600),
        issued_at: Some(at(NOW - 60)),
        token_id: Some("1".to_owned()),
        confirmation: None,
    };
    assert_eq!(verified, Ok(expected));
}

#[test]
fn one_subject_of_two_entries_is_two_users() {
    let user = |name| check(issuer(name, ISSUER), &json!({})).unwrap().caller.user;
    assert_ne!(user("a"), user("b"));
}

#[test]
fn mapped_claims_describe_the_caller() {
    let user = ClaimMapping {
        subject: claim("oid"),
        uuid: claim("guid"),
        sid: claim("primarysid"),
        upn: claim("upn"),
        name: claim("upn"),
        groups: claim("groupsid"),
    };
    let verified = check(
        Issuer { user, ..issuer("a", ISSUER) },
        &json!({
            "oid": "o-1", "guid": "{8F1590DC-D932-4B66-8E68-2E91C5880780}", "primarysid": "s-1-5-21-1-2-3-1105",
            "upn": "alice@corp.test", "groupsid": ["S-1-5-21-1-2-3-513", "S-1-5-32-545"],
        }),
    );
    let Verified { caller, subject, .. } = verified.unwrap();
    assert_eq!(subject, "o-1");
    assert_eq!(caller.user.uuid(), uuid!("8f1590dc-d932-4b66-8e68-2e91c5880780"));
    assert_eq!(caller.sid, Some(sid("S-1-5-21-1-2-3-1105")));
    assert_eq!(caller.upn, Upn::parse("alice@corp.test"));
    assert_eq!(caller.name, "alice@corp.test");
    assert_eq!(caller.groups, Groups::Known(vec![sid("S-1-5-21-1-2-3-513"), sid("S-1-5-32-545")]));
}

#[test]
fn a_directory_guid_is_read_as_windows_writes_it() {
    // [Convert]::ToBase64String(([guid]'8f1590dc-d932-4b66-8e68-2e91c5880780').ToByteArray())
    let user = || ClaimMapping { uuid: guid("objectguid"), ..ClaimMapping::default() };
    let caller = mapped(user(), &json!({"objectguid": "3JAVjzLZZkuOaC6RxYgHgA=="})).unwrap();
    assert_eq!(caller.user.uuid(), uuid!("8f1590dc-d932-4b66-8e68-2e91c5880780"));
    for text in ["8f1590dc-d932-4b66-8e68-2e91c5880780", "3JAVjzLZZkuOaC6RxYgHgA", "3JAVjzLZZkuOaC6RxYg=", "AAAA"] {
        assert_mapping(mapped(user(), &json!({"objectguid": text})), "objectguid");
    }
}

#[test]
fn a_mapped_uuid_is_required_and_is_nobody_elses() {
    let user = || ClaimMapping { uuid: claim("guid"), ..ClaimMapping::default() };
    assert_mapping(mapped(user(), &json!({})), "guid");
    let another_entrys = UserId::of_subject("b", "root").to_string();
    for value in [
        json!(null),
        json!(7),
        json!(""),
        json!("alice"),
        json!(["8f1590dc-d932-4b66-8e68-2e91c5880780"]),
        json!(Uuid::nil()),
        json!(Uuid::max()),
        json!(another_entrys),
    ] {
        assert_mapping(mapped(user(), &json!({"guid": value})), "guid");
    }
}

#[test]
fn a_sid_may_be_missing_but_not_wrong() {
    let user = || ClaimMapping { sid: claim("sid"), ..ClaimMapping::default() };
    assert_eq!(mapped(user(), &json!({})).unwrap().sid, None);
    for value in [json!("5f0c2e0e-session"), json!("S-1-5"), json!(["S-1-5-21-1"]), json!(5)] {
        assert_mapping(mapped(user(), &json!({"sid": value})), "sid");
    }
}

#[test]
fn a_user_principal_name_may_be_missing_but_not_wrong() {
    let user = || ClaimMapping { upn: claim("upn"), ..ClaimMapping::default() };
    assert_eq!(mapped(user(), &json!({})).unwrap().upn, None);
    assert_eq!(mapped(user(), &json!({"upn": "Alice@CORP.test"})).unwrap().upn, Upn::parse("alice@corp.test"));
    for value in [json!("alice"), json!("alice@"), json!(["alice@corp.test"]), json!(5)] {
        assert_mapping(mapped(user(), &json!({"upn": value})), "upn");
    }
}

#[test]
fn a_name_is_short_and_printable() {
    let user = || ClaimMapping { name: claim("name"), ..ClaimMapping::default() };
    assert_eq!(mapped(user(), &json!({})).unwrap().name, "alice");
    assert_eq!(mapped(user(), &json!({"name": "Ä".repeat(300)})).unwrap().name, "Ä".repeat(256));
    for value in [json!("Alice\r\nroot"), json!(""), json!("a".repeat(2049)), json!(1)] {
        assert_mapping(mapped(user(), &json!({"name": value})), "name");
    }
}

#[test]
fn groups_are_known_only_if_all_of_them_are() {
    let user = || ClaimMapping { groups: claim("groups"), ..ClaimMapping::default() };
    let (one, two) = ("S-1-5-21-1-2-3-513", "S-1-5-32-545");
    for (claims, expected) in [
        (json!({"groups": []}), Groups::Known(vec![])),
        (json!({"groups": one}), Groups::Known(vec![sid(one)])),
        (json!({"groups": [one, two]}), Groups::Known(vec![sid(one), sid(two)])),
        (json!({"groups": [one], "hasgroups": false}), Groups::Known(vec![sid(one)])),
        (json!({"groups": [one], "_claim_names": {"roles": "src1"}}), Groups::Known(vec![sid(one)])),
        (json!({}), Groups::Unknown),
        (json!({"groups": null}), Groups::Unknown),
        (json!({"groups": [one, "0f8fad5b-d9cb-469f-a165-70867728950e"]}), Groups::Unknown),
        (json!({"groups": [one, 7]}), Groups::Unknown),
        (json!({"groups": "/admins"}), Groups::Unknown),
        (json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}), Groups::Unknown),
        (json!({"groups": [one], "_claim_names": {"groups": "src1"}}), Groups::Unknown),
        (json!({"hasgroups": true}), Groups::Unknown),
        (json!({"groups": [one], "hasgroups": "true"}), Groups::Unknown),
    ] {
        assert_eq!(mapped(user(), &claims).unwrap().groups, expected, "{claims}");
    }
    for value in
        [json!(7), json!({"0": one}), json!(vec![one; 1025].join(" ").split(' ').map(|_| "S-1-1").collect::<Vec<_>>())]
    {
        assert_mapping(mapped(user(), &json!({"groups": value})), "groups");
    }
}

#[test]
fn claims_inside_objects_are_reached_by_pointers() {
    let kubernetes = json!({"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "issuer"}}});
    let user = ClaimMapping { name: claim("/kubernetes.io/serviceaccount/name"), ..ClaimMapping::default() };
    assert_eq!(mapped(user, &kubernetes).unwrap().name, "issuer");
}

#[test]
fn required_claims_have_one_of_their_values() {
    let require = |claim: &str, values: &[&str]| Requirement {
        claim: claim.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let accepts = |requirement: Requirement, claims: Value| {
        let entry = Issuer { require: vec![require("sub", &[]), requirement], ..issuer("a", ISSUER) };
        match outcome(&check(entry, &claims)) {
            "accepted" => true,
            "requirement" => false,
            other => panic!("{other}: {claims}"),
        }
    };
    for (claim, values, claims, expected) in [
        ("ver", &["1.0", "2.0"][..], json!({"ver": "2.0"}), true),
        ("ver", &["1.0"], json!({"ver": "1.0 "}), false),
        ("ver", &["1.0"], json!({"ver": 1.0}), true),
        ("ver", &["1"], json!({"ver": 1}), true),
        ("ver", &["1.0"], json!({}), false),
        ("ver", &["1.0"], json!({"ver": null}), false),
        ("ver", &["null"], json!({"ver": null}), false),
        ("ver", &[], json!({"ver": {}}), true),
        ("ver", &[], json!({"ver": ""}), true),
        ("ver", &[], json!({"ver": null}), false),
        ("ver", &[], json!({}), false),
        ("verified", &["true"], json!({"verified": true}), true),
        ("verified", &["true"], json!({"verified": false}), false),
        ("roles", &["admin"], json!({"roles": ["user", "admin"]}), true),
        ("roles", &["admin"], json!({"roles": [["admin"]]}), false),
        ("roles", &["admin"], json!({"roles": [{"admin": true}, null]}), false),
        ("roles", &["admin"], json!({"roles": {"admin": true}}), false),
        ("roles", &["admin"], json!({"roles": []}), false),
        ("roles", &["admin"], json!({"roles": "administrator"}), false),
        ("scp", &["requests.write"], json!({"scp": "openid requests.write"}), true),
        ("scope", &["requests.write"], json!({"scope": "openid requests.write.all"}), false),
        ("scope", &["requests.write"], json!({"scope": ["requests.write"]}), true),
        // Only scopes are lists: people choose their names.
        ("name", &["admin"], json!({"name": "not an admin"}), false),
        ("/realm_access/roles", &["admin"], json!({"realm_access": {"roles": ["admin"]}}), true),
        ("/realm_access/roles", &["admin"], json!({"realm_access": {"roles": ["user"]}}), false),
        ("/realm_access/roles", &["admin"], json!({"/realm_access/roles": "admin"}), false),
    ] {
        assert_eq!(accepts(require(claim, values), claims.clone()), expected, "{claim} of {values:?} in {claims}");
    }
}

#[test]
fn a_bound_token_names_its_certificate() {
    let certificate = b"a certificate in DER form";
    let thumbprint = CertificateThumbprint::of_certificate(certificate);
    let verified = check(issuer("a", ISSUER), &json!({"cnf": {"x5t#S256": format!("{thumbprint:?}")}})).unwrap();
    assert_eq!(verified.confirmation, Some(thumbprint));
    assert_ne!(verified.confirmation, Some(CertificateThumbprint::of_certificate(b"another")));
}

#[test]
fn an_entry_without_audiences_or_algorithms_accepts_nothing() {
    let base = || issuer("a", ISSUER);
    assert_eq!(outcome(&check(Issuer { audiences: Vec::new(), ..base() }, &json!({"aud": AUDIENCE}))), "audience");
    let token = draft().sign(&WORLD.rsa);
    for (entry, expected) in [
        (Issuer { algorithms: Vec::new(), ..base() }, "algorithm"),
        (Issuer { types: Vec::new(), ..base() }, "type"),
        (Issuer { issuers: Vec::new(), ..base() }, "issuer"),
        (Issuer { max_bytes: 0, ..base() }, "size"),
    ] {
        assert_eq!(Token::read(&token, &[entry]).unwrap_err().check(), expected);
    }
    assert_eq!(Token::read(&token, &[]).unwrap_err().check(), "size");
}

#[track_caller]
fn assert_mapping(result: Result<Caller, Rejection>, expected: &str) {
    match result {
        Err(Rejection::Mapping { claim, .. }) => assert_eq!(claim, expected),
        other => panic!("{other:?}"),
    }
}
