//! From a ticket to the caller: identity, realms and groups.

use super::*;

const SAMBA: &[u8] = include_bytes!("../pac/tests/samba.bin");

fn ticket(principal: &str, logon_info: Option<&[u8]>) -> Ticket {
    let logon_info = logon_info.map(<[u8]>::to_vec);
    Ticket { principal: principal.to_owned(), seconds_left: 60, is_bound: false, logon_info, answer: Vec::new() }
}

fn caller(principal: &str, logon_info: Option<&[u8]>) -> Result<Caller, Refusal> {
    let now = Timestamp::from_micros(1_000_000).unwrap();
    ticket(principal, logon_info).caller(&["CORP.TEST".to_owned()], now)
}

#[test]
fn a_caller_of_active_directory_has_its_sid_and_groups() {
    let caller = caller("alice@CORP.TEST", Some(SAMBA)).unwrap();
    let sid = "S-1-5-21-2471357761-3917643421-913874328-1102";
    assert_eq!(caller.user, UserId::of_subject("negotiate", sid));
    assert_eq!((caller.name.as_str(), caller.sid.unwrap().to_string().as_str()), ("alice@CORP.TEST", sid));
    for group in ["S-1-5-21-2471357761-3917643421-913874328-1106", "S-1-18-1", "S-1-1-0", "S-1-5-11", "S-1-5-2"] {
        assert_eq!(caller.groups.contains(&Sid::parse(group).unwrap()), Some(true), "{group}");
    }
    assert_eq!(caller.groups.contains(&Sid::parse("S-1-5-32-544").unwrap()), Some(false));
    assert_eq!(caller.proof.method, ProofMethod::Kerberos);
    assert_eq!(caller.proof.expires_at, Timestamp::from_micros(61_000_000));
}

#[test]
fn a_renamed_account_is_the_same_user() {
    let user = |principal| caller(principal, Some(SAMBA)).unwrap().user;
    assert_eq!(user("alice@CORP.TEST"), user("alice.smith@CORP.TEST"));
}

#[test]
fn without_logon_information_the_groups_are_unknown_and_the_principal_identifies_the_caller() {
    let found = caller("alice@CORP.TEST", None).unwrap();
    assert_eq!((found.user, found.groups), (UserId::of_subject("negotiate", "alice@CORP.TEST"), Groups::Unknown));
    assert_ne!(caller("Alice@CORP.TEST", None).unwrap().user, found.user);
}

#[test]
fn only_accepted_realms_count_in_their_exact_spelling() {
    for principal in
        ["alice@OTHER.TEST", "alice@corp.test", "alice@CORP.TEST@OTHER.TEST", "CORP.TEST@X", "alice@CORP.TEST.EVIL"]
    {
        assert_eq!(caller(principal, None), Err(Refusal::Realm(principal.to_owned())));
    }
    for principal in ["alice", "", "@CORP.TEST", r"alice\@CORP.TEST", r"a\\\@CORP.TEST", "alice@"] {
        assert_eq!(caller(principal, None), Err(Refusal::Name(principal.to_owned())));
    }
    let anonymous = "WELLKNOWN/ANONYMOUS@CORP.TEST";
    assert_eq!(caller(anonymous, None), Err(Refusal::Name(anonymous.to_owned())));
    assert!(caller(r"a\\@CORP.TEST", None).is_ok());
}

#[test]
fn damaged_logon_information_is_refused() {
    assert!(matches!(caller("alice@CORP.TEST", Some(&SAMBA[1..])), Err(Refusal::LogonInfo(_))));
}

#[test]
fn a_group_for_denials_allows_nothing_and_the_others_count() {
    let mut damaged = SAMBA.to_vec();
    // `SE_GROUP_USE_FOR_DENY_ONLY` among the attributes of the extra identifier.
    let at = 0x1b0;
    assert_eq!(damaged[at], 7);
    damaged[at] = 0x17;
    let groups = caller("alice@CORP.TEST", Some(&damaged)).unwrap().groups;
    let contains = |group: &str| groups.contains(&Sid::parse(group).unwrap());
    assert_eq!(contains("S-1-18-1"), None, "the extra identifier");
    assert_eq!(contains("S-1-5-21-2471357761-3917643421-913874328-1106"), Some(true));
    assert_eq!((contains("S-1-1-0"), contains("S-1-5-32-544")), (Some(true), Some(false)));
}
