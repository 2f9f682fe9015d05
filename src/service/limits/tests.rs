//! Which limit applies to a caller, and what operators learn about refused calls.

use metrics_exporter_prometheus::PrometheusBuilder;
use uuid::Uuid;

use super::*;
use crate::domain::{Proof, ProofMethod};

/// A limit on the rate alone.
pub(super) fn rate(per_second: u32, burst: u32) -> CallerLimit {
    let [per_second, burst] = [per_second, burst].map(|number| NonZeroU32::new(number).unwrap());
    CallerLimit { rate: Some(Rate { per_second, burst }), calls: None }
}

/// A limit on the calls in flight alone.
pub(super) fn calls(most: u32) -> CallerLimit {
    CallerLimit { rate: None, calls: NonZeroU32::new(most) }
}

fn sid(text: &str) -> Sid {
    Sid::parse(text).unwrap()
}

/// A caller with a token of an entry.
fn caller(user: u128, entry: &str) -> Caller {
    let proof = Proof { method: ProofMethod::Token, entry: Some(entry.into()), expires_at: None };
    Caller { proof, ..Caller::unproven(UserId::new(Uuid::from_u128(user)), format!("caller {user}")) }
}

fn settings() -> CallerLimitSettings {
    CallerLimitSettings {
        general: calls(1),
        entries: HashMap::from([("batch".into(), calls(2))]),
        users: HashMap::from([(UserId::new(Uuid::from_u128(7)), calls(3))]),
        sids: HashMap::from([(sid("S-1-5-21-1"), calls(4))]),
    }
}

#[test]
fn the_narrowest_limit_applies() {
    let with_sid = |caller: Caller| Caller { sid: Some(sid("S-1-5-21-1")), ..caller };
    for (caller, expected) in [
        (caller(1, "web"), 1),
        (Caller::unproven(UserId::new(Uuid::from_u128(1)), "dev"), 1),
        (caller(1, "batch"), 2),
        (with_sid(caller(1, "batch")), 4),
        (with_sid(caller(7, "batch")), 3),
        (caller(7, "web"), 3),
    ] {
        let limits = CallerLimits::new(settings());
        let admitted: Vec<_> = std::iter::from_fn(|| limits.admit(&caller).ok()).take(10).collect();
        assert_eq!(admitted.len(), expected, "{caller:?}");
    }
}

#[test]
fn without_a_limit_every_call_is_admitted_and_nothing_is_kept() {
    let limits = CallerLimits::new(CallerLimitSettings { general: CallerLimit::default(), ..settings() });
    let admitted: Vec<_> = (0..10_000).map(|_| limits.admit(&caller(1, "web")).unwrap()).collect();
    assert!(admitted.iter().all(|call| format!("{call:?}") == "InFlight { _counted: None }"));
}

#[test]
fn a_refused_call_says_why_and_is_counted_by_entry() {
    let limits = CallerLimits::new(CallerLimitSettings {
        entries: HashMap::from([("batch".into(), CallerLimit { calls: calls(1).calls, ..rate(1, 2) })]),
        ..CallerLimitSettings::default()
    });
    let recorder = PrometheusBuilder::new().build_recorder();
    let messages: Vec<_> = metrics::with_local_recorder(&recorder, || {
        let held = limits.admit(&caller(1, "batch")).unwrap();
        let in_flight = limits.admit(&caller(1, "batch")).unwrap_err();
        drop(held);
        // However slow the test is, not each of these calls waits a second for the next one.
        let refused = std::iter::repeat_with(|| limits.admit(&caller(1, "batch"))).find_map(Result::err).unwrap();
        [in_flight, refused].map(|exceeded| exceeded.to_string()).to_vec()
    });
    assert_eq!(
        messages,
        [
            "the caller has 1 calls in flight, which is its limit; retry when one of them has ended",
            "the caller exceeds its limit of 1 calls per second; retry later"
        ]
    );
    let text = recorder.handle().render();
    for line in [
        r#"cmgate_calls_over_limit_total{entry="batch",limit="calls"} 1"#,
        r#"cmgate_calls_over_limit_total{entry="batch",limit="rate"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
