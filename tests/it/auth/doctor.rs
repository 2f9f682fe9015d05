//! `cmgate doctor` and issuers of tokens; `cmgate doctor token`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::issuer::Mood;
use super::{ALICE, Draft, EMBEDDED, Issuer, SigningKey, draft, entry, now, settings};
use crate::support::doctor::{Findings, MARK, doctor};
use crate::support::env::TestEnv;

#[tokio::test(flavor = "multi_thread")]
async fn the_files_and_limits_of_access_have_their_lines() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (denied, tokens, socket) = (path("denied.toml"), path("tokens"), path("proxy.sock"));
    let list = |issuer: &str| format!("[[denied]]\nissuer = '{issuer}'\njti = '{MARK}'\n");
    fs::write(&denied, [list("idp"), list("idp")].concat()).unwrap();
    fs::write(&tokens, format!("{MARK}-0123456789abcdef0123456789abcdef\n")).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let accounts = entry("idp", &issuer).into_iter().filter(|(key, _)| *key != "USER__UUID");
    let accounts = settings(&[accounts.chain([("USER__SID", "sid".to_owned())]).collect()]);
    let accounts: Vec<_> = accounts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own = [
        EMBEDDED,
        ("CMGATE__AUTH__DENIED", denied.as_str()),
        ("CMGATE__ADMIN_TOKEN_FILE", &tokens),
        ("CMGATE__LISTEN_UNIX", &socket),
        ("CMGATE__AUTH__PROXY__LIMITS__RATE", "5"),
        ("CMGATE__LIMITS__CALLER__CALLS", "7"),
    ];
    let env = TestEnv::sqlite();
    let examine = || doctor(&env, &[&accounts[..], &own].concat(), &[]);
    assert!(env.run(&[EMBEDDED], &["migrate"]).status.success());
    let found = examine();
    found.assert_healthy();
    for (level, begin) in [
        ("ok", format!("auth.denied: 2 entries denied in {denied}")),
        ("ok", format!("admin_token_file: 1 token in {tokens}")),
        ("ok", format!("listen_unix: {socket}, no process listens now")),
        ("ok", "limits: each caller: 7 in flight; 1 entry and 0 callers have limits of their own".to_owned()),
        (
            "warning",
            "directory: no user is imported, 0 users learned: callers known by SID or UPN get derived UUIDs -> "
                .to_owned(),
        ),
    ] {
        found.assert_line(level, &begin);
    }
    fs::write(&denied, list("other")).unwrap();
    examine().assert_only_fault(&format!("auth.denied: the file {denied} is not valid: denied[0] names an issuer"));
    fs::write(&denied, "").unwrap();
    fs::write(&tokens, MARK).unwrap();
    examine().assert_only_fault("admin_token_file: the file ");
}

/// Runs the doctor with entries of the configuration.
fn examine(entries: &[Vec<(&str, String)>], arguments: &[&str]) -> Findings {
    let settings = settings(entries);
    let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    doctor(&TestEnv::sqlite(), &settings.chain([EMBEDDED]).collect::<Vec<_>>(), arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_an_issuer_has_its_line() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let good = || vec![entry("idp", &issuer)];
    let found = examine(&good(), &[]);
    found.assert_healthy();
    found.assert_line("ok", &format!("auth.jwt[0] (idp): 1 usable key from {}", issuer.url("")));
    found.assert_line("ok", "clock (auth.jwt[0]): agrees with the clock of this machine");
    for (mood, begin) in [
        (Mood::Failing, "cannot read http://127.0.0.1:"),
        (Mood::Redirecting, "cannot read http://127.0.0.1:"),
        (Mood::Huge, "cannot read http://127.0.0.1:"),
        (Mood::Endless, "cannot read http://127.0.0.1:"),
        (Mood::Impersonating, "http://127.0.0.1:"),
    ] {
        issuer.set_mood(mood);
        let found = examine(&good(), &[]);
        found.assert_only_fault(&format!("auth.jwt[0] (idp): {begin}"));
        let line = found.lines("fault")[0];
        let reason = match mood {
            Mood::Failing => "answered 500",
            Mood::Redirecting => "answered 302",
            Mood::Impersonating => {
                "describes an issuer that the entry does not list: \"https://other.test\" -> add the issuer"
            }
            _ => "more than",
        };
        assert!(line.contains(reason), "{line}");
    }
    issuer.set_mood(Mood::Good);
    issuer.publish_jwks(vec![json!({"kty": "oct", "kid": "secret", "k": "eA"})]);
    examine(&good(), &[]).assert_only_fault("auth.jwt[0] (idp): none of the 1 keys of the set can verify tokens");
    issuer.publish(&[&SigningKey::p384("two")]);
    examine(&good(), &[]).assert_only_fault("auth.jwt[0] (idp): no key of the set fits the algorithms RS256, ES256");

    let replaced = |key: &'static str, value: String| {
        let mut entry = entry("idp", &issuer);
        entry.retain(|(name, _)| *name != "DISCOVERY");
        entry.push((key, value));
        vec![entry]
    };
    let closed = replaced("JWKS_URI", "http://127.0.0.1:1/keys".to_owned());
    examine(&closed, &[]).assert_only_fault("auth.jwt[0] (idp): cannot read http://127.0.0.1:1/keys: cannot connect");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = replaced("JWKS_URI", format!("http://{}/keys", silent.local_addr().unwrap()));
    examine(&silent, &[]).assert_only_fault("auth.jwt[0] (idp): ");
    let missing = replaced("JWKS_FILE", "/nowhere/keys.json".to_owned());
    examine(&missing, &[]).assert_only_fault("auth.jwt[0] (idp): cannot read /nowhere/keys.json: No such file");
}

/// A file with a token, and the arguments that examine it.
struct TokenFile {
    _directory: TempDir,
    path: String,
}

impl TokenFile {
    fn new(content: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, content).unwrap();
        Self { path: path.display().to_string(), _directory: directory }
    }

    fn examine(content: &str, issuer: &Issuer, arguments: &[&str]) -> Findings {
        let file = Self::new(content);
        let mut entry = entry("idp", issuer);
        entry.push(("USER__GROUPS", "groups".to_owned()));
        entry.push(("REQUIRE__ACR", "high".to_owned()));
        let found = examine(&[entry], &[&["token", &file.path], arguments].concat());
        for part in content.trim().split('.').filter(|part| part.len() > 8) {
            assert!(!found.stdout.contains(part) && !found.stderr.contains(part), "the token is shown: {found:?}");
        }
        found
    }
}

/// A good token whose claims have the mark, which the doctor must not show.
fn good(issuer: &Issuer) -> Draft {
    draft(&issuer.url("")).claim("secret", MARK).claim("acr", "high").claim("groups", vec!["S-1-5-21-1-2-3-513"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_passes_every_step_and_shows_its_caller() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let token = good(&issuer).sign(&key);
    for content in [token.clone(), format!("  {token}\n"), format!("Bearer {token}\n")] {
        let found = TokenFile::examine(&content, &issuer, &[]);
        found.assert_healthy();
        assert_eq!(found.lines("ok").len(), 14, "{}", found.stdout);
        found.assert_line("ok", "issuer: auth.jwt[0] (idp)");
        found.assert_line("ok", &format!("caller: user {ALICE} (\"alice@corp.test\"), no SID, groups S-1-5-21-1-2-3-513, by the entry idp, until 2"));
    }
    let json: Value = serde_json::from_str(&TokenFile::examine(&token, &issuer, &["--json"]).stdout).unwrap();
    assert_eq!((&json["caller"]["user"], &json["caller"]["groupsUnknown"]), (&ALICE.into(), &false.into()));
    let bound = good(&issuer).claim("cnf", json!({"x5t#S256": "A".repeat(43)})).sign(&key);
    let found = TokenFile::examine(&bound, &issuer, &[]);
    found.assert_healthy();
    found.assert_line("ok", "confirmation: passed; the connection must have the client certificate with x5t#S256 AAAA");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_shows_the_step_that_refuses_it() {
    let (key, other) = (SigningKey::rsa("one"), SigningKey::p256("one"));
    let issuer = Issuer::start(&[&key]).await;
    let stranger = Issuer::start(&[&key]).await;
    let token = good(&issuer).sign(&key);
    let signed =
        |token: &Draft| token.sign(&key).rsplit_once('.').map(|(text, end)| (text.to_owned(), end.to_owned())).unwrap();
    let forged = format!("{}.{}", signed(&good(&issuer)).0, signed(&good(&stranger)).1);
    for (content, step, reason) in [
        ("a b".to_owned(), "credentials", "the credentials of the scheme Bearer are not a token68"),
        ("a.b".to_owned(), "form", "the token does not have three parts"),
        ("x".repeat(20_000), "form", "the token is longer than 16384 bytes"),
        (good(&issuer).header("crit", json!(["x"])).sign(&key), "header", "the header has crit"),
        (good(&stranger).sign(&key), "issuer", "no entry of auth.jwt lists the issuer"),
        (
            good(&issuer).header("alg", "RS384").sign(&key),
            "algorithm and type",
            "alg is not one of the issuer's algorithms",
        ),
        (good(&issuer).header("typ", "logout+jwt").sign(&key), "algorithm and type", "typ is not one"),
        (good(&issuer).header("kid", "two").sign(&key), "key", "the key set of the issuer has no key for the token"),
        (good(&issuer).sign(&other), "key", "the key of the token is unusable"),
        (forged, "signature", "the signature is wrong"),
        (
            good(&issuer).claim("iat", now() - 4_000).claim("exp", now() - 600).sign(&key),
            "times",
            "the token has expired",
        ),
        (good(&issuer).claim("aud", "other").sign(&key), "audience", "aud does not contain an audience"),
        (good(&issuer).claim("acr", "low").sign(&key), "required claims", "claim acr does not have a required value"),
        (good(&issuer).claim("cnf", json!({"jkt": "x"})).sign(&key), "confirmation", "cnf holds something else"),
        (good(&issuer).no_claim("oid").sign(&key), "mapping", "claim oid is missing"),
    ] {
        let found = TokenFile::examine(&content, &issuer, &[]);
        found.assert_only_fault(&format!("{step}: refused: {reason}"));
        let (passed, skipped) = (found.lines("ok").len(), found.lines("skipped").len());
        assert_eq!(passed + skipped, 12, "{step}: {}", found.stdout);
        let order: Vec<&str> = found.stdout.lines().map(|line| &line[..2]).collect();
        assert!(
            order.is_sorted_by_key(|level| ["ok", "fa", "sk"].iter().position(|known| known == level)),
            "{order:?}"
        );
        if !["credentials", "form", "header", "issuer"].contains(&step) {
            found.assert_line("ok", "issuer: auth.jwt[0] (idp)");
        }
    }
    issuer.set_mood(Mood::Failing);
    TokenFile::examine(&token, &issuer, &[])
        .assert_only_fault("key: refused: the key set cannot be read: cannot read ");

    let missing = examine(&[entry("idp", &issuer)], &["token", "/nowhere/token"]);
    missing.assert_only_fault("file: cannot read /nowhere/token: No such file");
    let file = TokenFile::new(&token);
    let without = doctor(&TestEnv::sqlite(), &[EMBEDDED], &["token", &file.path]);
    without.assert_only_fault("auth.jwt: there is no entry");
}
