//! One call over gRPC or REST and the meaning of its answer. An answer that does not fit the call is a defect.

use std::net::SocketAddr;
use std::time::Duration;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{
    AbandonRequestRequest, CancelRequestRequest, CompleteRequestRequest, CreateRequestRequest, FailRequestRequest,
    Request, RequestStatus, StartRequestRequest,
};
use cmgate::domain::ETag;
use reqwest::header::ETAG;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::support::client::{CARDS, REQUESTS, enrollment};
use crate::support::instance::channel;

/// Timeout of a call over REST.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// One step of a life cycle.
#[derive(Clone, Copy, Debug)]
pub(super) enum LoadStep {
    Create,
    Start,
    Complete,
    Fail,
    Cancel,
    Abandon,
}

/// A call, which is repeated with the same key.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) step: LoadStep,
    /// The request; `None` before it is created.
    pub(super) request: Option<Uuid>,
    /// The version that the request will have.
    pub(super) version: u32,
    pub(super) key: String,
}

/// The outcome of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The call took effect on this request, now or earlier.
    Done(Uuid),
    /// The outcome is unknown.
    Unknown,
    /// The call was not answered, or had no effect.
    Away,
}

/// Clients of one instance.
pub(super) struct Connection {
    address: SocketAddr,
    grpc: RequestServiceClient<Channel>,
    rest: reqwest::Client,
}

impl LoadStep {
    /// Whether the facade offers the step.
    pub(super) const fn is_rest(self) -> bool {
        matches!(self, Self::Create | Self::Complete | Self::Cancel | Self::Abandon)
    }

    /// The status after the step, its number in the facade, and its name if the facade accepts the step by name.
    const fn status(self) -> (RequestStatus, u8, &'static str) {
        match self {
            Self::Create => (RequestStatus::Approved, 3, ""),
            Self::Start => (RequestStatus::Executing, 4, ""),
            Self::Complete => (RequestStatus::Completed, 8, "Completed"),
            Self::Fail => (RequestStatus::Failed, 9, ""),
            Self::Cancel => (RequestStatus::Canceled, 17, "Canceled"),
            Self::Abandon => (RequestStatus::Failed, 9, "Abandoned"),
        }
    }
}

impl Connection {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, grpc: RequestServiceClient::new(channel(address)), rest: reqwest::Client::new() }
    }

    pub(super) async fn over_grpc(&mut self, ask: &Ask) -> Outcome {
        match self.send(ask).await {
            Ok(request) => {
                let request = request.expect("every answer has its request");
                assert_eq!((request.version, request.status()), (ask.version, ask.step.status().0), "{ask:?}");
                Outcome::Done(request.id.parse().expect("ids are UUIDs"))
            }
            Err(status) if is_unknown(&status) => Outcome::Unknown,
            Err(status) => {
                assert!(may_pass(status.code()), "{ask:?} was refused: {status:?}");
                Outcome::Away
            }
        }
    }

    async fn send(&mut self, ask: &Ask) -> Result<Option<Request>, Status> {
        let id = ask.request.map(|id| id.to_string()).unwrap_or_default();
        let idempotency_key = ask.key.clone();
        let grpc = &mut self.grpc;
        Ok(match ask.step {
            LoadStep::Create => {
                let call = CreateRequestRequest { draft: Some(enrollment(CARDS)), idempotency_key };
                grpc.create_request(call).await?.into_inner().request
            }
            LoadStep::Start => {
                let call = StartRequestRequest { id, idempotency_key, ..Default::default() };
                grpc.start_request(call).await?.into_inner().request
            }
            LoadStep::Complete => {
                let call = CompleteRequestRequest { id, idempotency_key, ..Default::default() };
                grpc.complete_request(call).await?.into_inner().request
            }
            LoadStep::Fail => {
                let comment = "under load".to_owned();
                let call = FailRequestRequest { id, idempotency_key, comment, ..Default::default() };
                grpc.fail_request(call).await?.into_inner().request
            }
            LoadStep::Cancel => {
                let call = CancelRequestRequest { id, idempotency_key, ..Default::default() };
                grpc.cancel_request(call).await?.into_inner().request
            }
            LoadStep::Abandon => {
                let call = AbandonRequestRequest { id, idempotency_key, ..Default::default() };
                grpc.abandon_request(call).await?.into_inner().request
            }
        })
    }

    pub(super) async fn over_rest(&self, ask: &Ask) -> Outcome {
        let address = format!("http://{}{REQUESTS}", self.address);
        let (_, number, name) = ask.step.status();
        let call = match ask.request {
            None => {
                let draft =
                    json!({"type": "Enroll", "profiletemplateuuid": CARDS, "datacollection": "[]", "comment": ""});
                self.rest.post(address).body(draft.to_string())
            }
            Some(id) => self.rest.put(format!("{address}/{id}")).body(json!({ "status": name }).to_string()),
        };
        let call = call.header("Content-Type", "application/json").header("Idempotency-Key", &ask.key);
        let Ok(answer) = call.timeout(CALL_TIMEOUT).send().await else { return Outcome::Away };
        let (status, tag) = (answer.status().as_u16(), answer.headers().get(ETAG).cloned());
        let Ok(body) = answer.text().await else { return Outcome::Away };
        match (status, ask.request) {
            (201, None) => {
                let address: String = serde_json::from_str(&body).unwrap();
                Outcome::Done(address.rsplit('/').next().unwrap().parse().unwrap())
            }
            (200, Some(_)) => {
                let shown: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(shown["Status"], number, "{ask:?} is answered by {body}");
                let tag = tag.expect("every request has its tag");
                let tag = tag.to_str().unwrap().trim_matches('"');
                let version = ETag::parse(tag).map(|tag| tag.version().get());
                assert_eq!(version, Some(ask.version), "{ask:?} is answered with the tag {tag}");
                Outcome::Done(shown["Uuid"].as_str().unwrap().parse().unwrap())
            }
            (503 | 504, _) if body.contains("outcome of the call is not known") => Outcome::Unknown,
            (429 | 503 | 504, _) => Outcome::Away,
            _ => panic!("{ask:?} was refused: {status} {body}"),
        }
    }
}

fn is_unknown(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| info.reason == "OUTCOME_UNKNOWN")
}

/// Errors that a client may get while servers are killed. Any other is a defect.
fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted | Code::Unknown
    )
}
