//! Tokens against the keys of their issuer, with a clock set by hand.

use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Request;
use http::header::AUTHORIZATION;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::domain::{CorrelationId, Groups, ProofMethod, Sid, Timestamp};
use crate::http::auth::AuthError;
use crate::http::auth::jwt::ClaimMapping;
use crate::http::auth::jwt::keys::Location;
use crate::http::auth::jwt::keys::fixture::{SigningKey, key_set};
use crate::http::auth::{Attempt, Audit, AuthRefusal};
use crate::runtime::jwt::{Algorithm, ClaimEncoding, ClaimReader, KeyUse};
use crate::runtime::tls::Authority;

const NOW: i64 = 1_788_264_000;

/// Tokens of one issuer, whose keys are in a file.
struct Setup {
    tokens: Tokens,
    audit: Audit,
    key: SigningKey,
    clock: Arc<AtomicI64>,
    directory: TempDir,
    recorder: PrometheusRecorder,
}

impl Setup {
    async fn new() -> Self {
        let (directory, key) = (tempfile::tempdir().unwrap(), SigningKey::new("one"));
        let path = directory.path().join("keys.json");
        fs::write(&path, key_set(&[&key])).unwrap();
        let reader = |claim: &str| Some(ClaimReader { claim: claim.to_owned(), encoding: ClaimEncoding::Text });
        let user = ClaimMapping { groups: reader("groups"), ..ClaimMapping::default() };
        let issuer = Issuer {
            name: "idp".into(),
            issuers: vec!["https://login.test".to_owned()],
            audiences: vec!["cmgate".to_owned()],
            algorithms: vec![Algorithm::EdDsa],
            types: vec!["JWT".to_owned()],
            require: Vec::new(),
            user,
            max_lifetime: Duration::from_hours(1),
            skew: Duration::ZERO,
            max_bytes: 4_096,
            key_use: KeyUse::Sig,
        };
        let keys = KeySource { location: Location::File(path), key_use: KeyUse::Sig };
        let clock = Arc::new(AtomicI64::new(NOW * 1_000_000));
        let issuers = vec![TokenIssuer { issuer, keys }];
        let path = directory.path().join("denied.toml");
        fs::write(&path, "").unwrap();
        let denied = Some(WatchedFile::load(denied_file(path, vec!["idp".into()])).unwrap());
        let started =
            Tokens::start(issuers, denied, Clock::Manual(Arc::clone(&clock)), &CancellationToken::new()).await;
        let recorder = PrometheusBuilder::new().build_recorder();
        Self { tokens: started.unwrap(), audit: Audit::default(), key, clock, directory, recorder }
    }

    /// A call with these values of `Authorization`.
    async fn call(&self, authorizations: &[&str]) -> Result<Arc<Caller>, AuthError> {
        self.call_from(authorizations, None).await
    }

    /// The same on a connection with a client certificate.
    async fn call_from(
        &self,
        authorizations: &[&str],
        peer: Option<&PeerCertificate>,
    ) -> Result<Arc<Caller>, AuthError> {
        let mut request = Request::new(());
        for value in authorizations {
            request.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
        }
        let (parts, ()) = request.into_parts();
        let _recording = metrics::set_default_local_recorder(&self.recorder);
        let checked = self.tokens.authenticate(&parts, peer).await;
        checked.map_err(|NotProven { entry, refusal }| {
            let refusal = AuthRefusal::of_entry(entry, refusal);
            let correlation = CorrelationId::of_uuid(Uuid::nil());
            self.audit.refused(&Attempt { transport: "rest", method: "other", correlation }, &parts, &refusal);
            refusal.error()
        })
    }

    async fn bearer(&self, token: &str) -> Result<Arc<Caller>, AuthError> {
        self.call(&[&format!("Bearer {token}")]).await
    }

    fn set_clock(&self, seconds: i64) {
        self.clock.store((NOW + seconds) * 1_000_000, Ordering::Relaxed);
    }

    /// How many calls a check refused.
    fn refused(&self, check: &str) -> usize {
        let line = format!("{}{{check=\"{check}\"}} ", names::CALLS_NOT_AUTHENTICATED);
        let text = self.recorder.handle().render();
        text.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://login.test", "aud": "cmgate", "sub": "alice", "iat": NOW, "exp": NOW + 600,
        "groups": ["S-1-5-21-1-2-3-513"],
    })
}

#[tokio::test]
async fn a_token_proves_its_caller() {
    let setup = Setup::new().await;
    let caller = setup.bearer(&setup.key.token(&claims())).await.unwrap();
    assert_eq!(caller.groups, Groups::Known(vec![Sid::parse("S-1-5-21-1-2-3-513").unwrap()]));
    assert_eq!((caller.proof.method, caller.proof.entry.as_deref()), (ProofMethod::Token, Some("idp")));
    assert_eq!(caller.proof.expires_at, Timestamp::from_micros((NOW + 600) * 1_000_000));
    let again = setup.bearer(&setup.key.token(&claims())).await.unwrap();
    assert!(Arc::ptr_eq(&caller, &again), "the second call used the result of the first");
}

#[tokio::test]
async fn a_result_ends_with_its_token_and_with_the_keys() {
    let setup = Setup::new().await;
    let token = setup.key.token(&claims());
    let first = setup.bearer(&token).await.unwrap();
    setup.set_clock(61);
    let second = setup.bearer(&token).await.unwrap();
    assert!(first == second && !Arc::ptr_eq(&first, &second), "after a minute, the token is checked again");
    setup.set_clock(601);
    assert_eq!(setup.bearer(&token).await, Err(AuthError::InvalidToken));
    assert_eq!(setup.refused("expired"), 1);

    setup.set_clock(61);
    setup.bearer(&token).await.unwrap();
    let other = SigningKey::new("two");
    fs::write(setup.directory.path().join("keys.json"), key_set(&[&other])).unwrap();
    setup.bearer(&other.token(&claims())).await.unwrap();
    assert_eq!(setup.bearer(&token).await, Err(AuthError::InvalidToken), "its key was removed");
    assert_eq!(setup.refused("key_unknown"), 1);
}

#[tokio::test]
async fn a_refused_call_is_counted_by_its_check() {
    let setup = Setup::new().await;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        setup.key.token(&claims)
    };
    let good = setup.key.token(&claims());
    let foreign = SigningKey::new("one").token(&claims());
    let long = format!("{good}{}", "x".repeat(4_096));
    for (token, check) in [
        (with("aud", json!("other")), "audience"),
        (with("iss", json!("https://other.test")), "issuer"),
        (with("exp", json!(NOW)), "expired"),
        (with("groups", json!(7)), "mapping"),
        (foreign, "signature"),
        (long, "size"),
        ("a.b".to_owned(), "parts"),
    ] {
        for count in 1..=2 {
            assert_eq!(setup.bearer(&token).await, Err(AuthError::InvalidToken), "{check}");
            assert_eq!(setup.refused(check), count, "{check}: refusals are not cached");
        }
    }
    let bearer = format!("Bearer {good}");
    assert_eq!(setup.call(&[&bearer, &bearer]).await, Err(AuthError::InvalidToken));
    assert_eq!(setup.refused("authorization"), 1);
    for none in [&[][..], &["Basic YTpi"]] {
        assert_eq!(setup.call(none).await, Err(AuthError::NoCredentials));
    }
    assert_eq!(setup.refused("no_token"), 2);
    setup.call(&[&bearer]).await.unwrap();
}

#[tokio::test]
async fn a_token_for_a_client_certificate_is_not_a_bearer_token() {
    let setup = Setup::new().await;
    let mut claims = claims();
    claims["cnf"] = json!({"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"});
    let token = setup.key.token(&claims);
    for count in 1..=2 {
        assert_eq!(setup.bearer(&token).await, Err(AuthError::InvalidToken));
        assert_eq!(setup.refused("certificate"), count, "also if the result is cached");
    }
    // On the connection with that certificate it is accepted, on another one it is not.
    let peers = [0, 1].map(|_| {
        let authority = Authority { name: "CA".to_owned(), key_hash: [0; 32], files: Vec::new() };
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        PeerCertificate::verified(certificate.der(), authority).unwrap()
    });
    claims["cnf"] = json!({"x5t#S256": BASE64_URL_SAFE_NO_PAD.encode(peers[0].thumbprint())});
    let bearer = format!("Bearer {}", setup.key.token(&claims));
    setup.call_from(&[&bearer], Some(&peers[0])).await.unwrap();
    assert_eq!(setup.call_from(&[&bearer], Some(&peers[1])).await, Err(AuthError::InvalidToken));
    assert_eq!(setup.refused("certificate"), 3);
    claims["cnf"] = json!({"jkt": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"});
    assert_eq!(setup.bearer(&setup.key.token(&claims)).await, Err(AuthError::InvalidToken));
    assert_eq!(setup.refused("confirmation"), 1);
}

#[tokio::test]
async fn a_denied_token_is_refused_also_if_its_result_is_kept() {
    let setup = Setup::new().await;
    let mut denied = claims();
    denied["jti"] = json!("id-1");
    let (token, other) = (setup.key.token(&denied), setup.key.token(&claims()));
    setup.bearer(&token).await.unwrap();
    setup.bearer(&other).await.unwrap();
    fs::write(setup.directory.path().join("denied.toml"), "[[denied]]\nissuer = 'idp'\njti = 'id-1'\n").unwrap();
    setup.bearer(&token).await.unwrap();
    setup.tokens.denied().unwrap().reload().unwrap();
    for count in 1..=2 {
        assert_eq!(setup.bearer(&token).await, Err(AuthError::InvalidToken));
        assert_eq!(setup.refused("denied"), count);
    }
    setup.bearer(&other).await.unwrap();
    // A broken file changes nothing.
    fs::write(setup.directory.path().join("denied.toml"), "[[denied]]\nissuer = 'idp'\n").unwrap();
    setup.tokens.denied().unwrap().reload().unwrap_err();
    assert_eq!(setup.bearer(&token).await, Err(AuthError::InvalidToken));
    fs::write(setup.directory.path().join("denied.toml"), "").unwrap();
    setup.tokens.denied().unwrap().reload().unwrap();
    setup.bearer(&token).await.unwrap();
}
