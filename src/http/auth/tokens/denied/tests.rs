//! Which tokens a file denies, and which files are refused.

use uuid::Uuid;

use super::*;
use crate::domain::{Caller, UserId};

fn parse(text: &str) -> Result<DeniedTokens, String> {
    DeniedTokens::parse(text.as_bytes(), &["a".into(), "b".into()])
}

/// A token of a subject, issued so many seconds after the start of 2026.
fn token(subject: &str, id: Option<&str>, issued: Option<i64>) -> Verified {
    let at = |seconds: i64| Timestamp::from_micros((1_767_225_600 + seconds) * 1_000_000).unwrap();
    Verified {
        caller: Caller::unproven(UserId::new(Uuid::from_u128(1)), subject),
        subject: subject.to_owned(),
        expires_at: at(3_600),
        issued_at: issued.map(at),
        token_id: id.map(str::to_owned),
        confirmation: None,
    }
}

#[test]
fn each_kind_of_entry_denies_its_tokens_only() {
    let denied = parse(
        "[[denied]]\nissuer = 'a'\njti = 'id-1'\nreason = 'leaked'\n\
         [[denied]]\nissuer = 'a'\nsubject = 'alice'\n\
         [[denied]]\nissuer = 'a'\nsubject = 'bob'\nissued_before = 2026-01-01T00:01:00Z\n\
         [[denied]]\nissuer = 'b'\nissued_before = 2026-01-01T01:01:00+01:00\n",
    )
    .unwrap();
    assert_eq!(denied.entries(), 4);
    for (issuer, token, is_denied) in [
        (0, token("carol", Some("id-1"), Some(0)), true),
        (0, token("carol", Some("id-2"), Some(0)), false),
        (0, token("carol", None, Some(0)), false),
        (1, token("carol", Some("id-1"), Some(60)), false),
        (0, token("alice", Some("id-2"), Some(600)), true),
        (0, token("alice", None, None), true),
        (0, token("Alice", None, Some(600)), false),
        (1, token("alice", None, Some(600)), false),
        (0, token("bob", None, Some(59)), true),
        (0, token("bob", None, Some(60)), false),
        (0, token("bob", None, None), true),
        (1, token("carol", None, Some(59)), true),
        (1, token("carol", None, Some(60)), false),
        (1, token("carol", None, None), true),
    ] {
        assert_eq!(denied.deny(issuer, &token), is_denied, "{issuer} {token:?}");
    }
}

#[test]
fn of_several_entries_the_strictest_counts() {
    let before = |minute: u32| format!("issued_before = 2026-01-01T00:0{minute}:00Z\n");
    let of = |entries: &[String]| {
        let entries: Vec<String> = entries.iter().map(|entry| format!("[[denied]]\nissuer = 'a'\n{entry}")).collect();
        parse(&entries.concat()).unwrap()
    };
    for minutes in [[1, 2], [2, 1]] {
        let all = of(&minutes.map(before));
        let alice = of(&minutes.map(|minute| format!("subject = 'alice'\n{}", before(minute))));
        for denied in [all, alice] {
            let deny = |seconds| denied.deny(0, &token("alice", None, Some(seconds)));
            assert_eq!((deny(119), deny(120)), (true, false), "{minutes:?}");
        }
    }
    let always = "subject = 'alice'\n".to_owned();
    for entries in [[always.clone(), format!("{always}{}", before(1))], [format!("{always}{}", before(1)), always]] {
        assert!(of(&entries).deny(0, &token("alice", None, Some(600))), "{entries:?}");
    }
}

#[test]
fn an_invalid_file_is_refused_with_the_place() {
    assert_eq!(parse("# nobody\n").unwrap().entries(), 0);
    let long = format!("[[denied]]\nissuer = 'a'\njti = '{}'", "x".repeat(2_049));
    let many = "[[denied]]\nissuer = 'a'\njti = 'x'\n".repeat(10_001);
    for (text, problem) in [
        ("[[denied]]\nissuer = 'a'\njti = 'x", "is not valid in line 3: "),
        ("[[denied]]\nissuer = 'a'\n", "is not valid: denied[0] must have jti, subject or issued_before"),
        ("[[denied]]\njti = 'x'\n", "is not valid in line 1: missing field `issuer`"),
        (
            "[[denied]]\nissuer = 'A'\njti = 'x'\n",
            "is not valid: denied[0] names an issuer that is not an entry of auth.jwt",
        ),
        ("[[denied]]\nissuer = 'a'\nsub = 'x'\n", "is not valid in line 3: unknown field `sub`"),
        ("[[deny]]\nissuer = 'a'\njti = 'x'\n", "is not valid in line 1: unknown field `deny`"),
        (
            "[[denied]]\nissuer = 'a'\njti = ''\n",
            "is not valid: denied[0] must have a jti or subject of 1 to 2048 bytes",
        ),
        (&long, "is not valid: denied[0] must have a jti or subject of 1 to 2048 bytes"),
        ("[[denied]]\nissuer = 'a'\njti = 'x'\nsubject = 'y'", "is not valid: denied[0] must have jti alone"),
        (
            "[[denied]]\nissuer = 'a'\njti = 'x'\nissued_before = 2026-01-01T00:00:00Z",
            "is not valid: denied[0] must have jti",
        ),
        ("[[denied]]\nissuer = 'a'\nissued_before = 2026-01-01", "is not valid: denied[0] must have a date, a time"),
        ("[[denied]]\nissuer = 'a'\nissued_before = 2026-01-01T00:00:00", "is not valid: denied[0] must have a date"),
        ("[[denied]]\nissuer = 'a'\nissued_before = '2026-01-01T00:00:00Z'", "is not valid in line 3: "),
        (&many, "has 10001 entries; at most 10000 are allowed"),
    ] {
        let refused = parse(text).unwrap_err();
        assert!(refused.starts_with(problem), "{refused}");
    }
    assert_eq!(DeniedTokens::parse(b"\xff", &[]).unwrap_err(), "is not UTF-8");
}
