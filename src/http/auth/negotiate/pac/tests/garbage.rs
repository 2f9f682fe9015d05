//! Arbitrary and damaged bytes: the reader neither panics nor returns more than the bytes can hold.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::{LogonInfo, MAX_BYTES, MAX_SIDS, SAMBA, full};

/// A change of a few bytes at an offset.
fn damage() -> impl Strategy<Value = Vec<(usize, u32)>> {
    let value = prop_oneof![any::<u32>(), 0..8_u32, 0xffff_fff0..=u32::MAX, 0x3fff_fff0..0x4000_0010_u32];
    vec((0..256_usize, value), 1..6)
}

fn check(bytes: &[u8]) {
    if let Ok(info) = LogonInfo::read(bytes) {
        // A relative identifier takes eight bytes; the primary group has a field of its own.
        let sids = info.groups.len() + info.deny_only.len();
        assert!(sids <= MAX_SIDS + 1 && sids <= bytes.len() / 8 + 1, "{sids} of {} bytes", bytes.len());
    }
}

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: 4_000, failure_persistence: None, ..Config::default() })
}

#[test]
fn arbitrary_bytes_are_refused_or_read() {
    let header = [1, 0x10, 8, 0, 0, 0, 0, 0];
    let strategy = (any::<bool>(), vec(any::<u8>(), 0..600));
    let run = runner().run(&strategy, |(with_header, mut bytes)| {
        if with_header {
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            bytes.splice(0..0, header.into_iter().chain(length).chain([0; 4]));
        }
        check(&bytes);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn damaged_logon_information_is_refused_or_read() {
    for good in [SAMBA.to_vec(), full().bytes()] {
        let run = runner().run(&damage(), |changes| {
            let mut bytes = good.clone();
            for (at, value) in changes {
                let at = at * 4 % (bytes.len() - 4);
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            check(&bytes);
            Ok(())
        });
        run.unwrap();
    }
}

/// Counts as large as a list may be, over too few bytes, must end at the last byte rather than allocate by the count.
#[test]
fn the_largest_input_is_read_in_full() {
    let mut bytes = full().bytes();
    bytes.resize(MAX_BYTES, 0xff);
    let length = u32::try_from(MAX_BYTES - 16).unwrap();
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    check(&bytes);
    assert_eq!(LogonInfo::read(&bytes), LogonInfo::read(&full().bytes()));
}
