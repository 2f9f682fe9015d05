//! Kerberos tickets over `Authorization: Negotiate`, with real key distribution centers and curl as the client.

#[cfg(feature = "negotiate")]
mod curl;
#[cfg(feature = "negotiate")]
mod directory;
#[cfg(feature = "negotiate")]
mod doctor;
#[cfg(feature = "negotiate")]
mod encrypted;
#[cfg(feature = "negotiate")]
mod groups;
#[cfg(feature = "negotiate")]
mod initiator;
#[cfg(feature = "negotiate")]
mod kdc;
#[cfg(feature = "negotiate")]
mod refusals;
#[cfg(feature = "negotiate")]
mod service;
#[cfg(feature = "negotiate")]
mod start;
#[cfg(feature = "negotiate")]
mod tickets;

/// Set by `.ci/run`: these tests must run.
const REQUIRED: &str = "CMGATE_TEST_KERBEROS";

/// Says that a test cannot run here; fails if it must.
fn skip(reason: &str) {
    assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, but {reason}");
    eprintln!("SKIPPED, although it should run before a change lands: {reason}");
}

#[cfg(not(feature = "negotiate"))]
#[test]
fn tickets_are_tested_in_builds_with_the_feature_negotiate_only() {
    skip("this build lacks the feature negotiate (cargo test --features negotiate)");
}
