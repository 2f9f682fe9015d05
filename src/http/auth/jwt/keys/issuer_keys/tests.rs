//! The set in force: when it is read, replaced and kept.

use std::fs;

use futures::future::{FutureExt, join_all};

use super::super::Location;
use super::super::fixture::{Origin, Reply, SigningKey, key_set};
use super::*;
use crate::runtime::jwt::KeyUse;

const KEYS: &str = "/keys";

/// An issuer whose server answers with these keys, once they were read.
async fn started(keys: &[&SigningKey]) -> (Origin, IssuerKeys) {
    let origin = Origin::start().await;
    origin.put(KEYS, Reply::Text(key_set(keys)));
    let location = Location::Uri { url: origin.url(KEYS), ca: None };
    let source = KeySource { location, key_use: KeyUse::Sig };
    let issuer = IssuerKeys::start("a".into(), &source, CancellationToken::new()).await.unwrap();
    // The first read has no key that was asked for, and answers the call without causing a second one.
    let set = issuer.with_key(None).await.unwrap();
    assert_eq!((set.generation, origin.reads(KEYS)), (1, 1));
    (origin, issuer)
}

fn loaded(keys: &[&SigningKey], max_age: Option<Duration>) -> Loaded {
    let json = key_set(keys).into_bytes();
    Loaded { keys: KeySet::parse(&json, KeyUse::Sig).unwrap(), json, max_age, clock: None }
}

#[tokio::test]
async fn calls_with_a_new_key_share_one_read() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let (origin, issuer) = started(&[&old]).await;
    origin.put(KEYS, Reply::Text(key_set(&[&old, &new])));
    let calls = (0..100).map(|_| issuer.with_key(Some("new")));
    for set in join_all(calls).await {
        let set = set.unwrap();
        assert!(set.keys.knows(Some("new")) && set.generation == 2);
    }
    assert_eq!(origin.reads(KEYS), 2);
}

#[tokio::test]
async fn unknown_keys_cause_one_read_only() {
    let key = SigningKey::new("one");
    let (origin, issuer) = started(&[&key]).await;
    for number in 0..1_000 {
        let unknown = format!("unknown-{number}");
        let set = issuer.with_key(Some(&unknown)).await.unwrap();
        assert!(!set.keys.knows(Some(&unknown)) && set.keys.knows(Some("one")));
    }
    assert_eq!(origin.reads(KEYS), 2, "one at the start, one for all calls");
}

#[tokio::test]
async fn few_calls_wait_for_a_silent_issuer() {
    let key = SigningKey::new("one");
    let (origin, issuer) = started(&[&key]).await;
    origin.put(KEYS, Reply::Never);
    let calls: Vec<_> = (0..MAX_WAITING)
        .map(|_| {
            let issuer = issuer.clone();
            tokio::spawn(async move { issuer.with_key(Some("two")).await })
        })
        .collect();
    while issuer.shared.waiting.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let set = issuer.with_key(Some("two")).now_or_never().expect("one call more does not wait");
    assert_eq!(set.unwrap().generation, 1);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().generation, 1, "the last good set decides");
    }
    assert_eq!(issuer.shared.waiting.available_permits(), MAX_WAITING);
}

#[tokio::test]
async fn a_key_that_the_issuer_removed_is_gone_after_the_next_read() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let (origin, issuer) = started(&[&old]).await;
    origin.put(KEYS, Reply::Text(key_set(&[&new])));
    assert!(issuer.with_key(Some("new")).await.unwrap().keys.knows(Some("new")));
    assert!(!issuer.in_force().unwrap().keys.knows(Some("old")));
}

#[tokio::test]
async fn the_last_good_set_survives_failures() {
    let key = SigningKey::new("one");
    for broken in [
        Reply::Status(http::StatusCode::INTERNAL_SERVER_ERROR),
        Reply::Text("{\"keys\":[]}".to_owned()),
        Reply::Text("<html>".to_owned()),
        Reply::Spaces(10 << 20),
        Reply::Cut,
    ] {
        let (origin, issuer) = started(&[&key]).await;
        origin.put(KEYS, broken);
        let set = issuer.with_key(Some("two")).await.unwrap();
        assert_eq!((set.generation, origin.reads(KEYS)), (1, 2));
        assert!(set.keys.knows(Some("one")));
    }
}

#[tokio::test]
async fn a_file_must_be_readable_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let source = KeySource { location: Location::File(path.clone()), key_use: KeyUse::Sig };
    let start = || IssuerKeys::start("a".into(), &source, CancellationToken::new());
    assert_eq!(start().await.unwrap_err().result(), "file");
    fs::write(&path, "{}").unwrap();
    assert_eq!(start().await.unwrap_err().result(), "key_set");
    fs::write(&path, key_set(&[&SigningKey::new("one")])).unwrap();
    let issuer = start().await.unwrap();
    assert!(issuer.in_force().unwrap().keys.knows(Some("one")));
    fs::write(&path, key_set(&[&SigningKey::new("two")])).unwrap();
    assert!(issuer.with_key(Some("two")).await.unwrap().keys.knows(Some("two")));
}

#[test]
fn a_set_stays_in_force_for_a_day() {
    let (issuer, now) = (IssuerKeys::new("a".into()), Instant::now());
    assert!(issuer.shared.in_force(now).is_none());
    let key = SigningKey::new("one");
    issuer.shared.replace(loaded(&[&key], None), now);
    let is_in_force = |at| issuer.shared.in_force(at).is_some();
    assert!(is_in_force(now) && is_in_force(now + MAX_AGE / 2) && !is_in_force(now + MAX_AGE));
    issuer.shared.replace(loaded(&[&key], None), now + MAX_AGE / 2);
    assert!(is_in_force(now + MAX_AGE), "it was read again");
}

#[test]
fn a_set_with_the_same_text_has_the_same_generation() {
    let (issuer, now) = (IssuerKeys::new("a".into()), Instant::now());
    let (one, two) = (SigningKey::new("one"), SigningKey::new("two"));
    let generation = |keys: &[&SigningKey]| {
        issuer.shared.replace(loaded(keys, None), now);
        issuer.in_force().unwrap().generation
    };
    assert_eq!(
        [generation(&[&one]), generation(&[&one]), generation(&[&one, &two]), generation(&[&one])],
        [1, 1, 2, 3]
    );
}

#[test]
fn the_server_chooses_the_interval_within_bounds() {
    let issuer = IssuerKeys::new("a".into());
    let key = SigningKey::new("one");
    for (max_age, expected) in [(None, 300), (Some(0), 60), (Some(90), 90), (Some(86_400), 3_600)] {
        let pause = issuer.shared.replace(loaded(&[&key], max_age.map(Duration::from_secs)), Instant::now());
        let range = f64::from(expected) * 0.899..=f64::from(expected) * 1.101;
        assert!(range.contains(&pause.as_secs_f64()), "{max_age:?}: {pause:?}");
    }
}
