//! Callers with bearer tokens, over both transports, against the real program and an issuer of our own.

mod attacks;
mod audit;
mod certificates;
mod denied;
mod directory;
mod doctor;
mod issuer;
mod key_sets;
mod long;
mod people;
#[expect(dead_code, reason = "the unit tests of the check use the rest")]
#[path = "../../../src/http/auth/jwt/tests/signer.rs"]
mod signer;
mod whoami;

use std::time::{SystemTime, UNIX_EPOCH};

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{CreateRequestRequest, Request};
use serde_json::json;
use tonic::Status;
use tonic::transport::Channel;

use self::issuer::Issuer;
use self::signer::{Draft, SigningKey};
use crate::support::client::{Answer, CARDS, Http, REQUESTS, creation, enrollment};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

/// No brokers: the service starts its own test broker, which keeps the topics of these tests off the real one.
const EMBEDDED: (&str, &str) = ("CMGATE__KAFKA__BROKERS", "");

/// The user of most tokens.
const ALICE: &str = "6f1c1a52-3f0e-4c1e-9d0b-0a4f7d1f2a11";
const AUDIENCE: &str = "urn:cmgate";

/// A service that accepts tokens.
struct Guarded {
    instance: Instance,
    client: RequestServiceClient<Channel>,
    http: Http,
    env: TestEnv,
}

impl Guarded {
    /// With entries of the configuration, each as the names and values of its keys.
    fn start(entries: &[Vec<(&str, String)>]) -> Self {
        Self::start_with(entries, &[])
    }

    /// With more settings, each the name and value of an environment variable.
    fn start_with(entries: &[Vec<(&str, String)>], more: &[(&str, &str)]) -> Self {
        let env = TestEnv::sqlite();
        let settings = settings(entries);
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Self::of(env, &settings.chain([EMBEDDED]).chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// With these settings.
    fn of(env: TestEnv, settings: &[(&str, &str)]) -> Self {
        let instance = env.start_with(settings);
        Self { client: instance.client(), http: Http::public(&instance), instance, env }
    }

    /// With one issuer, which has these keys.
    async fn with_issuer(keys: &[&SigningKey]) -> (Self, Issuer) {
        let issuer = Issuer::start(keys).await;
        (Self::start(&[entry("idp", &issuer)]), issuer)
    }

    /// Creates a request over gRPC with a token.
    async fn create(&self, token: &str) -> Result<Request, Status> {
        let answer = self.client.clone().create_request(with_token(token, creation(enrollment(CARDS)))).await?;
        Ok(answer.into_inner().request.unwrap())
    }

    /// Lists requests over REST with a token.
    async fn list(&self, token: &str) -> Answer {
        self.http.send("GET", REQUESTS, &[("Authorization", &format!("Bearer {token}"))], "").await
    }

    /// The value of a metric with these labels; 0 if it has no sample.
    async fn metric(&self, name: &str, labels: &str) -> usize {
        let start = format!("{name}{{{labels}}} ");
        let metrics = self.instance.private.get("/metrics").await;
        metrics.body.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |value| value.parse().unwrap())
    }

    /// How many calls a check refused.
    async fn refused(&self, check: &str) -> usize {
        self.metric("cmgate_calls_not_authenticated_total", &format!("check=\"{check}\"")).await
    }
}

impl Answer {
    /// Fails unless a list was returned: 204 is the documented answer for an empty one.
    fn assert_accepted(&self) {
        assert!([200, 204].contains(&self.status), "{self:?}");
    }
}

/// An entry for an issuer, found by discovery.
fn entry(name: &str, issuer: &Issuer) -> Vec<(&'static str, String)> {
    vec![
        ("NAME", name.to_owned()),
        ("ISSUERS", issuer.url("")),
        ("DISCOVERY", issuer.url("")),
        ("USER__UUID", "oid".to_owned()),
    ]
}

/// The environment variables of entries.
fn settings(entries: &[Vec<(&str, String)>]) -> Vec<(String, String)> {
    let usual = [("AUDIENCES", AUDIENCE), ("ALGORITHMS", "RS256,ES256"), ("TYPES", "JWT"), ("USER__NAME", "upn")];
    let mut settings = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let usual = usual.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let keys = usual.filter(|(key, _)| entry.iter().all(|(own, _)| own != key)).chain(entry.iter().cloned());
        settings.extend(keys.map(|(key, value)| (format!("CMGATE__AUTH__JWT__{index}__{key}"), value)));
    }
    settings
}

/// A good token of an issuer, not signed yet.
fn draft(issuer: &str) -> Draft {
    let now = now();
    let claims = json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "alice", "oid": ALICE, "upn": "alice@corp.test", "iat": now - 5, "exp": now + 3_600,
    });
    Draft::new(json!({"typ": "JWT"}), claims)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A message with a bearer token.
fn with_token<M>(token: &str, message: M) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// A create call of another user, by the header of the development mode.
fn as_developer(user: &str) -> tonic::Request<CreateRequestRequest> {
    crate::support::client::sent_by(user, creation(enrollment(CARDS)))
}
