//! The reader on real logon information, on what this module encodes, and on garbage.

mod encoder;
mod garbage;

use self::encoder::{Encoder, sid};
use super::{DENY_ONLY, ENABLED, EXTRA_SIDS, LogonInfo, MANDATORY, MAX_BYTES, MAX_SIDS, PacError, RESOURCE_GROUPS};
use crate::domain::Sid;

/// Attributes of an ordinary membership: mandatory, enabled by default, enabled.
const ORDINARY: u32 = 7;

/// Captured from a ticket of Samba 4.17: alice is a member of a global group, through it of a universal one, and through that of a
/// domain-local one.
const SAMBA: &[u8] = include_bytes!("tests/samba.bin");

fn texts(sids: &[Sid]) -> Vec<String> {
    sids.iter().map(Sid::to_string).collect()
}

/// A user of one domain with each of the three kinds of groups.
fn full() -> Encoder {
    Encoder {
        user_id: 1_105,
        primary_group: 513,
        groups: vec![(513, ORDINARY), (1_201, ORDINARY)],
        flags: EXTRA_SIDS | RESOURCE_GROUPS,
        extra: vec![(sid("S-1-18-1"), ORDINARY), (sid("S-1-5-21-9-9-9-519"), ORDINARY)],
        resource_domain: Some(sid("S-1-5-21-7-7-7")),
        resource: vec![(1_301, ORDINARY | 0x2000_0000)],
        ..Encoder::default()
    }
}

#[test]
fn the_logon_information_of_samba_is_read() {
    let info = LogonInfo::read(SAMBA).unwrap();
    let domain = "S-1-5-21-2471357761-3917643421-913874328";
    assert_eq!(info.user.to_string(), format!("{domain}-1102"));
    let rids = [513, 1_104, 1_105, 1_106].map(|rid| format!("{domain}-{rid}"));
    assert_eq!(texts(&info.groups), [&rids[..], &["S-1-18-1".to_owned()]].concat());
    assert!(info.deny_only.is_empty());
}

#[test]
fn every_kind_of_group_is_read_under_its_own_domain() {
    let info = LogonInfo::read(&full().bytes()).unwrap();
    assert_eq!(info.user.to_string(), "S-1-5-21-1-2-3-1105");
    let expected =
        ["S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1201", "S-1-18-1", "S-1-5-21-9-9-9-519", "S-1-5-21-7-7-7-1301"];
    assert_eq!(texts(&info.groups), expected);
}

#[test]
fn groups_without_their_flag_do_not_count() {
    let without = |flag: u32| LogonInfo::read(&Encoder { flags: full().flags & !flag, ..full() }.bytes()).unwrap();
    assert!(!texts(&without(EXTRA_SIDS).groups).iter().any(|sid| sid == "S-1-18-1"));
    assert!(!texts(&without(RESOURCE_GROUPS).groups).iter().any(|sid| sid == "S-1-5-21-7-7-7-1301"));
}

#[test]
fn groups_that_only_deny_are_kept_apart() {
    for (attributes, grants) in [
        (MANDATORY | DENY_ONLY, false),
        (ENABLED | DENY_ONLY, false),
        (0, false),
        (0x2, false),
        (ENABLED, true),
        (MANDATORY, true),
    ] {
        let expected = |sid: &str| if grants { (vec![sid.to_owned()], vec![]) } else { (vec![], vec![sid.to_owned()]) };
        let found = |encoder: Encoder, sid: &str| {
            let info = LogonInfo::read(&encoder.bytes()).unwrap();
            let only = |sids: &[Sid]| texts(sids).into_iter().filter(|found| found == sid).collect::<Vec<_>>();
            (only(&info.groups), only(&info.deny_only))
        };
        let of_domain = Encoder { groups: vec![(1_201, attributes)], ..full() };
        assert_eq!(found(of_domain, "S-1-5-21-1-2-3-1201"), expected("S-1-5-21-1-2-3-1201"), "{attributes:#x}");
        let extra = Encoder { extra: vec![(sid("S-1-18-1"), attributes)], ..full() };
        assert_eq!(found(extra, "S-1-18-1"), expected("S-1-18-1"), "{attributes:#x}");
        let resource = Encoder { resource: vec![(1_301, attributes)], ..full() };
        assert_eq!(found(resource, "S-1-5-21-7-7-7-1301"), expected("S-1-5-21-7-7-7-1301"), "{attributes:#x}");
        let primary = Encoder { groups: vec![(513, attributes)], ..full() };
        assert_eq!(found(primary, "S-1-5-21-1-2-3-513"), expected("S-1-5-21-1-2-3-513"), "{attributes:#x}");
    }
}

#[test]
fn an_account_without_a_domain_is_the_first_extra_sid() {
    let local = Encoder {
        user_id: 0,
        groups: Vec::new(),
        domain: None,
        extra: vec![(sid("S-1-5-21-4-4-4-1000"), ORDINARY), (sid("S-1-18-1"), ORDINARY)],
        ..full()
    };
    let info = LogonInfo::read(&local.bytes()).unwrap();
    assert_eq!(info.user.to_string(), "S-1-5-21-4-4-4-1000");
    assert_eq!(texts(&info.groups), ["S-1-18-1", "S-1-5-21-7-7-7-1301"]);
    let nobody = Encoder { flags: 0, ..local };
    assert_eq!(LogonInfo::read(&nobody.bytes()), Err(PacError::Missing("UserId")));
}

#[test]
fn strings_of_odd_length_are_padded_and_empty_ones_may_have_a_pointer() {
    for name in ["", "a", "al", "ali", "Ünïcødé"] {
        let encoder = Encoder { strings: [Some(name); 8], ..full() };
        assert_eq!(LogonInfo::read(&encoder.bytes()), LogonInfo::read(&full().bytes()), "{name}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (encoder, error) in [
        (Encoder { domain: None, ..full() }, PacError::Missing("LogonDomainId")),
        (Encoder { resource_domain: None, ..full() }, PacError::Missing("ResourceGroupDomainSid")),
        (Encoder { counts: [Some(1), None, None], groups: Vec::new(), ..full() }, PacError::Missing("GroupIds")),
        (Encoder { counts: [None, Some(1), None], extra: Vec::new(), ..full() }, PacError::Missing("ExtraSids")),
        (
            Encoder { counts: [None, None, Some(1)], resource: Vec::new(), ..full() },
            PacError::Missing("ResourceGroupIds"),
        ),
        (Encoder { has_pointer: false, ..full() }, PacError::Missing("structure")),
    ] {
        assert_eq!(LogonInfo::read(&encoder.bytes()), Err(error));
    }
}

#[test]
fn counts_that_disagree_are_refused() {
    for (counts, field) in [
        ([Some(1), None, None], "GroupIds"),
        ([Some(3), None, None], "GroupIds"),
        ([None, Some(1), None], "ExtraSids"),
        ([None, None, Some(2)], "ResourceGroupIds"),
    ] {
        assert_eq!(LogonInfo::read(&Encoder { counts, ..full() }.bytes()), Err(PacError::Count(field)));
    }
}

#[test]
fn identifiers_that_windows_does_not_know_are_refused() {
    let long = sid("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15");
    let encoder = Encoder { domain: Some(long), ..full() };
    assert_eq!(LogonInfo::read(&encoder.bytes()), Err(PacError::Sid("UserId")));
    let mut revision = sid("S-1-18-1");
    revision[0] = 2;
    let encoder = Encoder { extra: vec![(revision, ORDINARY)], ..full() };
    assert_eq!(LogonInfo::read(&encoder.bytes()), Err(PacError::Sid("ExtraSids")));
    for count in [0, 16] {
        let mut wrong = sid("S-1-18-1");
        wrong[1] = count;
        wrong.resize(8 + 4 * usize::from(count), 0);
        let encoder = Encoder { extra: vec![(wrong, ORDINARY)], ..full() };
        assert_eq!(LogonInfo::read(&encoder.bytes()), Err(PacError::Sid("ExtraSids")), "{count}");
    }
}

#[test]
fn the_number_of_identifiers_is_bounded() {
    let many = |count: usize| {
        let rids = (0..u32::try_from(count).unwrap() - 3).map(|rid| (10_000 + rid, ORDINARY));
        LogonInfo::read(&Encoder { groups: rids.collect(), ..full() }.bytes())
    };
    // Three more are in the other lists, and the primary group comes from a field of its own.
    assert_eq!(many(MAX_SIDS).unwrap().groups.len(), MAX_SIDS + 1);
    assert_eq!(many(MAX_SIDS + 1), Err(PacError::TooManySids));
    let huge = Encoder { counts: [Some(u32::MAX), Some(u32::MAX), Some(u32::MAX)], ..full() };
    assert_eq!(LogonInfo::read(&huge.bytes()), Err(PacError::TooManySids));
}

#[test]
fn headers_and_lengths_are_checked() {
    let good = full().bytes();
    assert_eq!(LogonInfo::read(&vec![0; MAX_BYTES + 1]), Err(PacError::TooLong(MAX_BYTES + 1)));
    for (at, wrong) in [(0, 2), (1, 0), (2, 9), (3, 1)] {
        let mut bytes = good.clone();
        bytes[at] = wrong;
        assert_eq!(LogonInfo::read(&bytes), Err(PacError::Header), "{at}");
    }
    let mut longer = good.clone();
    longer[8..12].copy_from_slice(&u32::try_from(good.len() - 15).unwrap().to_le_bytes());
    assert_eq!(LogonInfo::read(&longer), Err(PacError::Truncated("the structure")));
    longer.push(0);
    assert_eq!(LogonInfo::read(&longer), LogonInfo::read(&good));
}

#[test]
fn every_truncation_is_refused() {
    for good in [SAMBA.to_vec(), full().bytes()] {
        // The header states a length; it is shortened too, so that the fields themselves are reached.
        for length in 16..good.len() - 7 {
            let mut bytes = good[..length].to_vec();
            bytes[8..12].copy_from_slice(&u32::try_from(length - 16).unwrap().to_le_bytes());
            assert!(LogonInfo::read(&bytes).is_err(), "{length} of {}", good.len());
        }
        for length in 0..good.len() {
            assert!(matches!(LogonInfo::read(&good[..length]), Err(PacError::Truncated(_))), "{length}");
        }
    }
}
