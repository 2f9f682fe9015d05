//! Who callers with and without tokens are, and what is open to everyone.

use std::fs;

use cmgate::contract::v1::caller_service_client::CallerServiceClient;
use cmgate::contract::v1::{ProofMethod, WhoAmIRequest};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{
    ALICE, AUDIENCE, Draft, EMBEDDED, Guarded, Issuer, SigningKey, as_developer, draft, entry, now, settings,
    with_token,
};
use crate::support::client::{JUDGE, REQUESTS, info, printed_events, sent_by};
use crate::support::env::TestEnv;
use crate::support::instance::channel;

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_a_token_is_the_actor_over_both_transports() {
    let key = SigningKey::rsa("one");
    let (guarded, issuer) = Guarded::with_issuer(&[&key]).await;
    let token = draft(&issuer.url("")).sign(&key);
    let created = guarded.create(&token).await.unwrap();
    assert_eq!((created.originator.as_str(), created.target.as_str()), (ALICE, ALICE));

    let documented = include_str!("../../../src/mimcm/tests/golden/create-1.json");
    let authorization = format!("Bearer {token}");
    let answer = guarded.http.post(&[("Authorization", &authorization)], documented).await;
    let path = format!("{REQUESTS}/{}", answer.created());
    let view = guarded.http.send("GET", &path, &[("Authorization", &authorization)], "").await.json();
    assert_eq!((&view["OriginatorUserUuid"], &view["TargetUserUuid"]), (&ALICE.into(), &ALICE.into()));
    let log = guarded.instance.log();
    assert!(log.contains(&format!("user={ALICE}")) && !log.contains(&token), "the log names the user, never the token");

    // Without a mapped UUID, the user is made from the entry and the subject, which is also the name.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, serde_json::json!({"keys": [key.jwk()]}).to_string()).unwrap();
    let entry = |name: &str, iss: &str| {
        let path = file.path().display().to_string();
        vec![
            ("NAME", name.to_owned()),
            ("ISSUERS", iss.to_owned()),
            ("JWKS_FILE", path),
            ("USER__NAME", "sub".to_owned()),
        ]
    };
    let made = Guarded::start(&[entry("a", "https://a.test"), entry("b", "https://b.test")]);
    let of_a = made.create(&draft("https://a.test").sign(&key)).await.unwrap();
    let again = made.create(&draft("https://a.test").sign(&key)).await.unwrap();
    let of_b = made.create(&draft("https://b.test").sign(&key)).await.unwrap();
    assert_eq!(of_a.originator, again.originator);
    assert_ne!(of_a.originator, of_b.originator, "the same subject of another issuer is another user");

    for (env, instance, name) in
        [(guarded.env, guarded.instance, "alice@corp.test"), (made.env, made.instance, "alice")]
    {
        instance.end().await;
        let events = printed_events(&env, &[]);
        assert!(events.len() >= 2 && events.iter().all(|event| event["actor"]["name"] == name), "{events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_learn_how_the_service_understands_their_token() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let mut groups = entry("idp", &issuer);
    groups.push(("USER__GROUPS", "groups".to_owned()));
    let guarded = Guarded::start(&[groups]);
    let mut client = CallerServiceClient::new(guarded.instance.channel());
    let mut ask = async |token: Draft| {
        let call = with_token(&token.sign(&key), WhoAmIRequest {});
        client.who_am_i(call).await.unwrap().into_inner().caller.unwrap()
    };

    let expires = now() + 600;
    let token = draft(&issuer.url("")).claim("exp", expires);
    let alice = ask(token.claim("groups", vec!["S-1-5-21-1-2-3-513"])).await;
    assert_eq!((alice.user.as_str(), alice.name.as_str()), (ALICE, "alice@corp.test"));
    assert_eq!((alice.groups, alice.groups_unknown), (vec!["S-1-5-21-1-2-3-513".to_owned()], false));
    let proof = alice.proof.unwrap();
    assert_eq!((proof.method(), proof.entry.as_str()), (ProofMethod::Token, "idp"));
    assert_eq!(proof.expire_time.unwrap().seconds, expires.cast_signed());

    let overflowing = ask(draft(&issuer.url("")).claim("_claim_names", json!({"groups": "src1"}))).await;
    assert_eq!((overflowing.groups, overflowing.groups_unknown), (Vec::new(), true));

    let error = client.who_am_i(WhoAmIRequest {}).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    guarded.instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_token_is_refused_and_the_development_caller_is_off() {
    let key = SigningKey::p256("one");
    let (guarded, issuer) = Guarded::with_issuer(&[&key]).await;
    let correlation = "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01";
    let answer = guarded.http.send("GET", REQUESTS, &[("X-Correlation-ID", correlation)], "").await;
    assert_eq!((answer.status, answer.header("x-correlation-id")), (401, correlation));
    let is_audit = |line: &str| line.contains(correlation) && line.contains("check=\"no_token\"");
    assert!(guarded.instance.log().lines().any(is_audit), "{}", guarded.instance.log());
    let mut client = guarded.client.clone();
    for request in [as_developer(JUDGE), tonic::Request::new(as_developer(JUDGE).into_inner())] {
        let error = client.create_request(request).await.unwrap_err();
        assert_eq!((error.code(), info(&error).reason.as_str()), (Code::Unauthenticated, "NO_CREDENTIALS"));
        assert_eq!(error.metadata().get("www-authenticate").unwrap(), "Bearer realm=\"cmgate\"");
    }
    for http in [guarded.http.clone(), guarded.http.by(JUDGE)] {
        for answer in [http.get(REQUESTS).await, http.post(&[], "{}").await, http.get("/nowhere").await] {
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer realm=\"cmgate\""));
            assert!(answer.json()["Message"].as_str().unwrap().starts_with("The call has no credentials"));
        }
    }
    let answer = guarded.http.send("GET", REQUESTS, &[("Authorization", "Basic YTpi")], "").await;
    assert_eq!((answer.status, guarded.refused("no_token").await), (401, 10));

    // A token beside the header of the development mode decides alone.
    let mut request = as_developer(JUDGE);
    let token = format!("Bearer {}", draft(&issuer.url("")).sign(&key));
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    let created = client.create_request(request).await.unwrap().into_inner().request.unwrap();
    assert_eq!(created.originator, ALICE);
    let answer = guarded.http.by(JUDGE).send("GET", REQUESTS, &[("Authorization", &token), JSON], "").await;
    assert_eq!(answer.status, 200);

    let check = HealthCheckRequest { service: String::new() };
    let mut health = HealthClient::new(channel(guarded.instance.public));
    let healthy = health.check(sent_by(JUDGE, check)).await.unwrap().into_inner();
    assert_eq!(healthy.status(), ServingStatus::Serving, "health needs no token");
}

/// The body of the call is never sent, so an answer proves that the service did not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_refused_before_its_body_is_read() {
    let key = SigningKey::p256("one");
    let (guarded, _issuer) = Guarded::with_issuer(&[&key]).await;
    for authorization in ["", "Authorization: Bearer a.b.c\r\n"] {
        let mut stream = TcpStream::connect(guarded.instance.public).await.unwrap();
        let head = format!(
            "POST {REQUESTS} HTTP/1.1\r\nHost: cmgate\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n{authorization}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 401");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsafe_configuration_stops_the_process() {
    let key = SigningKey::p256("one");
    let issuer = Issuer::start(&[&key]).await;
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("keys.json");
    fs::write(&bad, "{\"keys\":[]}").unwrap();
    let entry = |name: &str, iss: &str, place: (&'static str, String)| {
        vec![("NAME", name.to_owned()), ("ISSUERS", iss.to_owned()), ("AUDIENCES", AUDIENCE.to_owned()), place]
    };
    let uri = || ("JWKS_URI", issuer.url("/keys"));
    let file = |path: &str| ("JWKS_FILE", path.to_owned());
    let production = ("CMGATE__MODE", "production");
    let development = ("CMGATE__MODE", "development");
    let env = TestEnv::sqlite();
    for (mode, entries, sentence) in [
        (production, vec![], "auth is required in production: add an [[auth.jwt]] entry".to_owned()),
        (production, vec![entry("a", "x", uri())], "auth.jwt[0].jwks_uri must begin with https://".to_owned()),
        (
            development,
            vec![entry("a", "x", uri()), entry("b", "x", uri())],
            "auth.jwt[1].issuers must not contain \"x\", which auth.jwt[0].issuers contains".to_owned(),
        ),
        (
            development,
            vec![vec![("NAME", "a".to_owned()), ("ISSUERS", "x".to_owned()), ("AUDIENCES", String::new()), uri()]],
            "auth.jwt[0].audiences must contain a value of the claim aud".to_owned(),
        ),
        (
            development,
            vec![entry("a", "x", file("no/keys.json"))],
            "auth.jwt[0] (a): cannot read no/keys.json: ".to_owned(),
        ),
        (
            development,
            vec![entry("a", "x", file("/dev/zero"))],
            "auth.jwt[0] (a): /dev/zero is not a regular file".to_owned(),
        ),
        (
            development,
            vec![entry("a", "x", uri()), entry("b", "y", file(bad.to_str().unwrap()))],
            "auth.jwt[1] (b): none of the 0 keys of the set can verify tokens".to_owned(),
        ),
    ] {
        let settings = settings(&entries);
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let more = [mode, ("CMGATE__LOG__FILTER", "error")];
        let embedded = (mode == development).then_some(EMBEDDED);
        let settings: Vec<_> = settings.chain(more).chain(embedded).collect();
        for command in ["serve", "check-config"] {
            let output = env.run(&settings, &[command]);
            let message = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(64), "{command}: {message}");
            let is_sentence = message.starts_with(&format!("cmgate: {sentence}")) && message.lines().count() == 1;
            assert!(is_sentence, "{command}: {message}");
        }
    }
    assert!(!env.database.path().exists(), "no database was created");
}
