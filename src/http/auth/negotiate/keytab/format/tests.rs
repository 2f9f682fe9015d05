//! Keytabs that are whole, damaged or something else.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

use super::*;

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// The first bytes of a keytab.
pub(in super::super) const MAGIC_BYTES: [u8; 2] = MAGIC;

/// A key of a principal.
pub(in super::super) fn record(realm: &str, components: &[&str], version: u8, encryption: u16, tail: &[u8]) -> Vec<u8> {
    let mut record = u16::try_from(components.len()).unwrap().to_be_bytes().to_vec();
    record.extend(counted(realm.as_bytes()));
    for part in components {
        record.extend(counted(part.as_bytes()));
    }
    record.extend([0, 0, 0, 1, 0x65, 0, 0, 0, version]);
    record.extend(encryption.to_be_bytes());
    record.extend(counted(&[0x5a; 32]));
    record.extend(tail);
    [&i32::try_from(record.len()).unwrap().to_be_bytes()[..], &record].concat()
}

fn keytab() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(record("CORP.TEST", &["HTTP", "cm.corp.test"], 2, 18, &[0, 0, 1, 2]));
    bytes.extend((-6_i32).to_be_bytes());
    bytes.extend([0xff; 6]);
    bytes.extend(record("CORP.TEST", &["host"], 3, 23, &[]));
    bytes
}

#[test]
fn principals_versions_and_encryption_types_are_read() {
    let entries = KeytabEntry::read_all(&keytab()).unwrap();
    let shown: Vec<_> = entries.iter().map(|entry| (entry.principal(), entry.version, entry.encryption)).collect();
    let expected = [("HTTP/cm.corp.test@CORP.TEST", 0x102, 18), ("host@CORP.TEST", 3, 23)];
    assert_eq!(shown, expected.map(|(principal, version, kind)| (principal.to_owned(), version, kind)));
    let ended = [&keytab()[..], &[0; 40]].concat();
    assert_eq!(KeytabEntry::read_all(&ended), KeytabEntry::read_all(&keytab()));
    assert_eq!(KeytabEntry::read_all(&MAGIC), Ok(Vec::new()));
}

#[test]
fn what_is_not_a_keytab_is_refused() {
    assert_eq!(KeytabEntry::read_all(b""), Err(FormatError::NotAKeytab));
    assert_eq!(KeytabEntry::read_all(b"[libdefaults]"), Err(FormatError::NotAKeytab));
    assert_eq!(KeytabEntry::read_all(&vec![5; MAX_BYTES + 1]), Err(FormatError::TooLong));
    let good = keytab();
    for length in 0..good.len() {
        let whole = KeytabEntry::read_all(&good[..length]).map_or(0, |entries| entries.len());
        assert!(whole < 2, "{length}");
    }
}

#[test]
fn arbitrary_bytes_are_refused_or_read() {
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&(vec(any::<u8>(), 0..300), 0..200_usize, any::<u8>()), |input| {
        let (bytes, at, value) = input;
        let _ = KeytabEntry::read_all(&[&MAGIC[..], &bytes].concat());
        let mut damaged = keytab();
        let at = at % damaged.len();
        damaged[at] = value;
        let _ = KeytabEntry::read_all(&damaged);
        Ok(())
    });
    run.unwrap();
}
