//! Which limits the configuration gives to whom.

use super::super::tests::configured_by;
use super::*;

const USER: &str = "6f1c1a52-3f0e-4c1e-9d0b-0a4f7d1f2a11";
const ACCOUNT: &str = "S-1-5-21-1-2-3-1104";

fn limit(rate: Option<(u32, u32)>, calls: u32) -> CallerLimit {
    let rate = rate.map(|(per_second, burst)| {
        let [per_second, burst] = [per_second, burst].map(|number| NonZeroU32::new(number).unwrap());
        Rate { per_second, burst }
    });
    CallerLimit { rate, calls: NonZeroU32::new(calls) }
}

#[test]
fn each_limit_reaches_its_callers() {
    let text = format!(
        "
        [limits.caller]
        rate = 50
        calls = 8
        [[limits.callers]]
        user = '{USER}'
        rate = 500
        burst = 5
        [[limits.callers]]
        user = '{ACCOUNT}'
        rate = 0
        calls = 0
        [[auth.jwt]]
        name = 'idp'
        issuers = ['https://a']
        discovery = 'https://a'
        audiences = ['cmgate']
        limits = {{ rate = 7, burst = 70 }}
        [[auth.jwt]]
        name = 'other'
        issuers = ['https://b']
        discovery = 'https://b'
        audiences = ['cmgate']
        [[auth.certificate]]
        name = 'agents'
        source = 'upn'
        limits = {{ calls = 3 }}
        [auth.negotiate]
        keytab = 'a'
        replay_cache = 'b'
        limits = {{ burst = 9 }}
        [auth.proxy]
        certificate = 'spiffe://corp.test/edge'
        limits = {{ rate = 3 }}
        [tls]
        certificate = 'c'
        key = 'd'
        client_ca = 'e'
        client_certificates = 'optional'
        "
    );
    let limits = configured_by(&text).api.caller_limits;
    assert_eq!(limits.general, limit(Some((50, 100)), 8));
    let mut entries: Vec<_> = limits.entries.iter().map(|(name, limit)| (&**name, *limit)).collect();
    entries.sort_by_key(|(name, _)| *name);
    assert_eq!(
        entries,
        [
            ("agents", limit(Some((50, 100)), 3)),
            ("idp", limit(Some((7, 70)), 8)),
            ("negotiate", limit(Some((50, 9)), 8)),
            ("proxy", limit(Some((3, 6)), 8)),
        ]
    );
    assert_eq!(limits.users.into_iter().collect::<Vec<_>>(), [(USER.parse().unwrap(), limit(Some((500, 5)), 8))]);
    let sids: Vec<_> = limits.sids.into_iter().map(|(sid, limit)| (sid.to_string(), limit)).collect();
    assert_eq!(sids, [(ACCOUNT.to_owned(), CallerLimit::default())]);
}

#[test]
fn production_limits_callers_and_development_does_not() {
    assert_eq!(configured_by("").api.caller_limits, CallerLimitSettings::default());
    let production = "mode = 'production'\ndatabase.url = 'postgres://a/b'\nkafka.brokers = 'a:1'\n[[auth.jwt]]\nname = 'a'\nissuers = ['https://a']\n\
                      discovery = 'https://a'\naudiences = ['cmgate']\n";
    assert_eq!(configured_by(production).api.caller_limits.general, limit(Some((1_000, 2_000)), 512));
    let off = format!("{production}[limits.caller]\nrate = 0\ncalls = 0\n");
    assert_eq!(configured_by(&off).api.caller_limits, CallerLimitSettings::default());
}
