//! The file `auth.denied`: it takes effect on tokens that were accepted a moment ago, without a restart.

use std::fs;
use std::path::Path;

use tonic::Code;

use super::{EMBEDDED, Guarded, Issuer, SigningKey, draft, entry, settings};
use crate::support::client::info;
use crate::support::env::TestEnv;
use crate::support::wait::wait_until;

const RELOADS: &str = "cmgate_file_reloads_total";

impl Guarded {
    /// Replaces the file and waits until the service has read it.
    async fn deny(&self, file: &Path, text: &str, result: &str) {
        let labels = format!("file=\"auth.denied\",result=\"{result}\"");
        let before = self.metric(RELOADS, &labels).await;
        fs::write(file, text).unwrap();
        self.instance.signal("HUP");
        wait_until("the file was read", async || self.metric(RELOADS, &labels).await > before).await;
    }

    async fn assert_denied(&self, token: &str) {
        let before = self.refused("denied").await;
        let error = self.create(token).await.unwrap_err();
        assert_eq!((error.code(), info(&error).reason.as_str()), (Code::Unauthenticated, "INVALID_TOKEN"));
        let answer = self.list(token).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(self.refused("denied").await, before + 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_denied_at_once_and_a_broken_file_changes_nothing() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("denied.toml");
    fs::write(&file, "").unwrap();
    let (path, env) = (file.display().to_string(), TestEnv::sqlite());
    let variables = settings(&[entry("idp", &issuer)]);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let all = [&variables[..], &[EMBEDDED, ("CMGATE__AUTH__DENIED", &path), ("CMGATE__TLS__RELOAD_INTERVAL", "24h")]];
    let guarded = Guarded::of(env.clone(), &all.concat());

    let good = draft(&issuer.url(""));
    let (stolen, other) = (good.clone().claim("jti", "id-1").sign(&key), good.claim("jti", "id-2").sign(&key));
    let bob = draft(&issuer.url("")).claim("sub", "bob").sign(&key);
    for token in [&stolen, &other, &bob] {
        guarded.create(token).await.unwrap();
        guarded.list(token).await.assert_accepted();
    }
    let entry = |what: &str| format!("[[denied]]\nissuer = 'idp'\n{what}\n");
    let listed = [entry("jti = 'id-1'"), entry("subject = 'bob'\nissued_before = 9999-01-01T00:00:00Z")].concat();
    guarded.deny(&file, &listed, "applied").await;
    guarded.assert_denied(&stolen).await;
    guarded.assert_denied(&bob).await;
    guarded.create(&other).await.unwrap();

    guarded.deny(&file, &listed.replace("idp", "ipd"), "failed").await;
    guarded.assert_denied(&stolen).await;
    let log = guarded.instance.log();
    assert!(log.contains("denied[0] names an issuer that is not an entry of auth.jwt; the last good content"), "{log}");
    let metrics = guarded.instance.private.get("/metrics").await;
    assert!((metrics.metric("cmgate_denied_entries") - 2.0).abs() < f64::EPSILON, "{}", metrics.body);
    assert!(!metrics.samples("cmgate_file_age_seconds").is_empty(), "{}", metrics.body);

    guarded.deny(&file, &entry("issued_before = 2026-01-01T00:00:00Z"), "applied").await;
    for token in [&stolen, &other, &bob] {
        guarded.create(token).await.unwrap();
        guarded.list(token).await.assert_accepted();
    }
    guarded.instance.end().await;

    fs::write(&file, "[[denied]]\nissuer = 'idp'\n").unwrap();
    for command in ["serve", "check-config"] {
        let output = env.run(&all.concat(), &[command]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{message}");
        assert!(
            message.contains(&format!("auth.denied: the file {path} is not valid: denied[0] must have")),
            "{message}"
        );
    }
}
