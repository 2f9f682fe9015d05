//! Callers of a running instance over gRPC, REST and its private port, and their answers.

use std::net::SocketAddr;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{CreateRequestRequest, Request, RequestDraft, RequestType};
use reqwest::header::HeaderMap;
use serde_json::Value;
use tonic::Status;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::{ErrorInfo, StatusExt};

use super::env::TestEnv;
use super::instance::{Instance, channel};
use super::wait::PATIENCE;

/// The default user of callers.
pub(crate) const DEV: &str = "8f1590dc-d932-4b66-8e68-2e91c5880780";
/// The target of the third documented example.
pub(crate) const PAVLE: &str = "97cc3493-f556-4c9b-9d8b-982434201527";
/// A user who is no party to any request.
pub(crate) const JUDGE: &str = "00000000-0000-0000-0000-00000000000a";
/// Another such user.
pub(crate) const SECOND_JUDGE: &str = "00000000-0000-0000-0000-00000000000b";

/// The sample template of smart cards; requests of users for themselves need no approval.
pub(crate) const CARDS: &str = "a039b4d0-5ce8-4eff-8651-181c6576fda3";
/// The sample template of software profiles; an enrollment needs one approval.
pub(crate) const PROFILES: &str = "97cd65fa-af4b-4587-9309-0dd6bfd8b4e1";

/// The documented path.
pub(crate) const REQUESTS: &str = "/CertificateManagement/api/v1.0/requests";

/// A message sent by a user.
pub(crate) fn sent_by<M>(user: &str, message: M) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("x-dev-user", user.parse().unwrap());
    request
}

/// The draft of an enrollment under a template.
pub(crate) fn enrollment(template: &str) -> RequestDraft {
    RequestDraft {
        r#type: RequestType::Enroll.into(),
        profile_template: template.to_owned(),
        ..RequestDraft::default()
    }
}

/// The message that creates a request, without an idempotency key.
pub(crate) fn creation(draft: RequestDraft) -> CreateRequestRequest {
    CreateRequestRequest { draft: Some(draft), idempotency_key: String::new() }
}

/// Creates a request that must be accepted.
pub(crate) async fn create(client: &mut RequestServiceClient<Channel>, draft: RequestDraft) -> Request {
    client.create_request(creation(draft)).await.unwrap().into_inner().request.unwrap()
}

/// Creates requests; each is one event.
pub(crate) async fn create_many(client: &mut RequestServiceClient<Channel>, count: usize) -> Vec<Request> {
    let mut created = Vec::new();
    for _ in 0..count {
        created.push(create(client, enrollment(CARDS)).await);
    }
    created
}

/// The gRPC health of a service at a port; `Unknown` if the call failed.
pub(crate) async fn health(port: SocketAddr, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel(port)).check(request).await;
    answer.map_or(ServingStatus::Unknown, |answer| answer.into_inner().status())
}

/// The `ErrorInfo` of an error.
pub(crate) fn info(status: &Status) -> ErrorInfo {
    status.get_details_error_info().unwrap_or_else(|| panic!("every error has an ErrorInfo: {status:?}"))
}

/// The events of the log as `tail --no-follow` prints them.
pub(crate) fn printed_events(env: &TestEnv, arguments: &[&str]) -> Vec<Value> {
    let output = env.run(&[], &[&["tail", "--no-follow"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A caller of one port over HTTP.
#[derive(Clone)]
pub(crate) struct Http {
    address: SocketAddr,
    user: Option<&'static str>,
    client: reqwest::Client,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Http {
    /// A caller of the port that listens at an address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, user: None, client: reqwest::Client::new() }
    }

    /// A caller of the REST facade.
    pub(crate) fn public(instance: &Instance) -> Self {
        Self::at(instance.public)
    }

    /// The address of the port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same caller as another user.
    pub(crate) fn by(&self, user: &'static str) -> Self {
        Self { address: self.address, user: Some(user), client: self.client.clone() }
    }

    /// Sends a request with headers and a body.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.request(method.parse().unwrap(), url).body(body.to_owned()).timeout(PATIENCE);
        for (name, value) in headers.iter().copied().chain(self.user.map(|user| ("X-Dev-User", user))) {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    /// Gets a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// Sends a create call with more headers.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        let json = [("Content-Type", "application/json")];
        self.send("POST", REQUESTS, &[&json, headers].concat(), body).await
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON, {error}: {self:?}"))
    }

    /// The value of a header that occurs once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.get_all(name).iter();
        let value = found.next().unwrap_or_else(|| panic!("no {name} in {self:?}"));
        assert!(found.next().is_none(), "{name} twice in {self:?}");
        value.to_str().unwrap()
    }

    /// The id of the created request, the last segment in the answer of a create call.
    pub(crate) fn created(&self) -> String {
        assert_eq!(self.status, 201, "{self:?}");
        let address: String = serde_json::from_str(&self.body).unwrap();
        let id = address.strip_prefix("api/v1.0/requests/");
        id.unwrap_or_else(|| panic!("not a documented address: {address}")).to_owned()
    }

    /// The sum of a metric over all its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.samples(name).iter().sum()
    }

    /// The values of a metric, of each of its labels.
    pub(crate) fn samples(&self, name: &str) -> Vec<f64> {
        let samples = self.body.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    }
}
