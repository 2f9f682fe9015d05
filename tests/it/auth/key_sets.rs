//! Key sets in use: rotation under load, floods of unknown keys, broken issuers, and files.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use super::issuer::Mood;
use super::{Guarded, Issuer, SigningKey, draft, entry};
use crate::support::wait::wait_until;

/// Calls that each client makes before and after the rotation.
const CALLS: usize = 40;
/// Clients over each transport.
const CLIENTS: usize = 4;
/// Tokens of the flood.
const FLOOD: usize = 2_000;
/// Minimum time between two reads that calls cause, as documented.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Shortest time between two reads in the background: the retry after a failure, shortened by the jitter.
const BACKGROUND: Duration = Duration::from_secs(27);

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_refuses_no_good_call() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::p256("new"));
    let (guarded, issuer) = Guarded::with_issuer(&[&old]).await;
    let (guarded, iss) = (Arc::new(guarded), issuer.url(""));
    // Tokens differ, so that results of earlier checks do not answer.
    let tokens = |key: &SigningKey| -> Vec<String> {
        (0..CALLS).map(|number| draft(&iss).claim("jti", number.to_string()).sign(key)).collect()
    };
    let (old_tokens, new_tokens) = (Arc::new(tokens(&old)), Arc::new(tokens(&new)));
    let (is_rotated, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..2 * CLIENTS)
        .map(|client| {
            let (guarded, is_rotated, calls) = (Arc::clone(&guarded), Arc::clone(&is_rotated), Arc::clone(&calls));
            let (old_tokens, new_tokens) = (Arc::clone(&old_tokens), Arc::clone(&new_tokens));
            tokio::spawn(async move {
                let call = async |token: &str| {
                    if client % 2 == 0 {
                        guarded.create(token).await.unwrap();
                    } else {
                        guarded.list(token).await.assert_accepted();
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                };
                for number in 0.. {
                    if is_rotated.load(Ordering::Acquire) {
                        break;
                    }
                    call(&old_tokens[number % CALLS]).await;
                }
                for token in new_tokens.iter() {
                    call(token).await;
                }
            })
        })
        .collect();
    wait_until("the clients are at work", async || calls.load(Ordering::Relaxed) >= 2 * CLIENTS * 10).await;
    issuer.publish(&[&old, &new]);
    is_rotated.store(true, Ordering::Release);
    for client in join_all(clients).await {
        client.unwrap();
    }
    for check in ["key_unknown", "no_keys", "signature"] {
        assert_eq!(guarded.refused(check).await, 0, "{check}");
    }
    guarded.create(&old_tokens[0]).await.unwrap();
    assert!(guarded.metric("cmgate_key_set_reads_total", "issuer=\"idp\",result=\"ok\"").await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_keys_does_not_reach_the_issuer() {
    let key = SigningKey::p256("one");
    let (guarded, issuer) = Guarded::with_issuer(&[&key]).await;
    let good = draft(&issuer.url("")).sign(&key);
    guarded.create(&good).await.unwrap();
    let begun = Instant::now();
    let tokens: Vec<String> =
        (0..FLOOD).map(|number| draft(&issuer.url("")).header("kid", format!("random-{number}")).sign(&key)).collect();
    for tokens in tokens.chunks(100) {
        let answers = join_all(tokens.iter().map(|token| guarded.list(token))).await;
        assert!(answers.iter().all(|answer| answer.status == 401));
        guarded.list(&good).await.assert_accepted();
    }
    assert_eq!(guarded.refused("key_unknown").await, FLOOD);
    assert_eq!(guarded.metric("cmgate_unknown_key_ids_total", "issuer=\"idp\"").await, FLOOD);
    let elapsed = begun.elapsed();
    let periods = |period: Duration| usize::try_from(elapsed.as_millis() / period.as_millis()).unwrap();
    let allowed = 1 + (1 + periods(COOLDOWN)) + periods(BACKGROUND);
    let reads = issuer.reads();
    assert!(reads <= allowed, "{reads} reads in {elapsed:?}; at the start, for calls and in the background: {allowed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_issuer_refuses_its_own_callers_only() {
    let key = SigningKey::p256("one");
    let moods = [
        (Mood::Good, "ok"),
        (Mood::Failing, "status"),
        (Mood::Redirecting, "status"),
        (Mood::Huge, "too_large"),
        (Mood::Endless, "too_large"),
        (Mood::Impersonating, "wrong_issuer"),
    ];
    let mut issuers = Vec::new();
    for (mood, _) in moods {
        let issuer = Issuer::start(&[&key]).await;
        issuer.set_mood(mood);
        issuers.push(issuer);
    }
    // Sets that are read but must not be used: too small a key, a secret, keys for encryption.
    let jwks = [
        json!({"kty": "oct", "kid": "one", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "alg": "HS256"}),
        json!({"kty": "RSA", "kid": "one", "use": "sig", "e": "AQ", "n": SigningKey::rsa("one").jwk()["n"]}),
        {
            let mut jwk = key.jwk();
            jwk["use"] = json!("enc");
            jwk
        },
    ];
    for jwk in jwks {
        let issuer = Issuer::start(&[]).await;
        issuer.publish_jwks(vec![jwk]);
        issuers.push(issuer);
    }
    let entries: Vec<_> =
        issuers.iter().enumerate().map(|(index, issuer)| entry(&format!("i{index}"), issuer)).collect();
    let guarded = Guarded::start(&entries);
    let expected = moods.into_iter().map(|(_, result)| result).chain(["no_keys"; 3]);
    for ((index, issuer), result) in issuers.iter().enumerate().zip(expected) {
        let token = draft(&issuer.url("")).sign(&key);
        let status = guarded.list(&token).await.status;
        assert_eq!(status, if result == "ok" { 204 } else { 401 }, "issuer {index}");
        wait_until(&format!("the read of issuer {index} ends with {result}"), async || {
            guarded.metric("cmgate_key_set_reads_total", &format!("issuer=\"i{index}\",result=\"{result}\"")).await >= 1
        })
        .await;
    }
    assert_eq!(guarded.refused("no_keys").await, issuers.len() - 1);
    let metrics = guarded.instance.private.get("/metrics").await;
    assert_eq!(metrics.samples("cmgate_key_set_age_seconds").len(), 1, "only one set was ever read");
    assert_eq!(guarded.instance.private.get("/readyz").await.status, 200, "readiness does not depend on issuers");

    // The last good set stays in force.
    issuers[0].set_mood(Mood::Failing);
    let unknown = draft(&issuers[0].url("")).header("kid", "two").sign(&key);
    assert_eq!(guarded.list(&unknown).await.status, 401);
    let token = draft(&issuers[0].url("")).claim("jti", "2").sign(&key);
    guarded.create(&token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_file_can_be_replaced() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::p256("new"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let write = |key: &SigningKey| fs::write(&path, json!({"keys": [key.jwk()]}).to_string()).unwrap();
    write(&old);
    let iss = "https://closed.test";
    let guarded = Guarded::start(&[vec![
        ("NAME", "file".to_owned()),
        ("ISSUERS", iss.to_owned()),
        ("JWKS_FILE", path.display().to_string()),
        ("USER__UUID", "oid".to_owned()),
    ]]);
    let (of_old, of_new) = (draft(iss).sign(&old), draft(iss).sign(&new));
    guarded.create(&of_old).await.unwrap();
    write(&new);
    guarded.create(&of_new).await.unwrap();
    assert_eq!(guarded.list(&of_old).await.status, 401, "its key was removed, and its cached result with it");
    guarded.list(&of_new).await.assert_accepted();
    assert_eq!(guarded.refused("key_unknown").await, 1);
}
