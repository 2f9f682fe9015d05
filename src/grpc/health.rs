//! The gRPC health service `grpc.health.v1.Health`, for load balancers and clients.

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{Callers, Credentials, Requests, Users};
use crate::contract::v1::caller_service_server::CallerServiceServer;
use crate::contract::v1::credential_service_server::CredentialServiceServer;
use crate::contract::v1::directory_service_server::DirectoryServiceServer;
use crate::contract::v1::request_service_server::RequestServiceServer;

/// Names with the status of the whole server: the empty one, and the services of the contract.
const NAMES: [&str; 5] = [
    "",
    <RequestServiceServer<Requests> as NamedService>::NAME,
    <CredentialServiceServer<Credentials> as NamedService>::NAME,
    <CallerServiceServer<Callers> as NamedService>::NAME,
    <DirectoryServiceServer<Users> as NamedService>::NAME,
];

/// The name whose status is `SERVING` as long as the process lives, for probes that restart it.
const LIVENESS: &str = "liveness";

/// Limit on the message of a health call; service names are short.
const MESSAGE_BYTES: usize = 4 << 10;

/// Switches the health service, which reports `SERVING` at first. Clones share the state.
#[derive(Clone, Debug)]
pub struct Serving(watch::Sender<State>);

/// What the health service reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    NotServing,
    /// Not serving, for good.
    Ended,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Server,
    Liveness,
    Unknown,
}

/// Implements the health service; reports the state of [`Serving`].
#[derive(Debug)]
pub struct HealthService(watch::Receiver<State>);

impl Default for Serving {
    fn default() -> Self {
        Self(watch::Sender::new(State::Serving))
    }
}

impl Serving {
    /// A health service that reports this state.
    #[must_use]
    pub fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService(self.0.subscribe())).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// Reports whether calls are served, unless [`Self::end`] was called.
    pub fn set(&self, is_serving: bool) {
        let wanted = if is_serving { State::Serving } else { State::NotServing };
        self.0.send_if_modified(|state| {
            let is_new = *state != State::Ended && *state != wanted;
            if is_new {
                *state = wanted;
            }
            is_new
        });
    }

    /// Reports `NOT_SERVING` and ends all watch streams, because a graceful shutdown would wait for them.
    pub fn end(&self) {
        self.0.send_replace(State::Ended);
    }
}

impl Subject {
    fn of(name: &str) -> Self {
        match name {
            LIVENESS => Self::Liveness,
            name if NAMES.contains(&name) => Self::Server,
            _ => Self::Unknown,
        }
    }

    const fn status(self, state: State) -> ServingStatus {
        match (self, state) {
            (Self::Unknown, _) => ServingStatus::ServiceUnknown,
            (Self::Liveness, _) | (Self::Server, State::Serving) => ServingStatus::Serving,
            (Self::Server, State::NotServing | State::Ended) => ServingStatus::NotServing,
        }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[async_trait]
impl Health for HealthService {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match Subject::of(&request.get_ref().service) {
            Subject::Unknown => Err(Status::not_found("unknown service")),
            subject @ (Subject::Server | Subject::Liveness) => {
                Ok(Response::new(answer(subject.status(*self.0.borrow()))))
            }
        }
    }

    /// An unknown service gets a stream too, as the protocol requires: clients wait for the service to appear.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let subject = Subject::of(&request.get_ref().service);
        let statuses = stream::unfold((self.0.clone(), None), move |(mut states, last)| async move {
            loop {
                let state = *states.borrow_and_update();
                let status = subject.status(state);
                if last != Some(status) {
                    return Some((Ok(answer(status)), (states, Some(status))));
                }
                // Fails only if `Serving` was dropped, and then the server has ended too.
                if state == State::Ended || states.changed().await.is_err() {
                    return None;
                }
            }
        });
        Ok(Response::new(statuses.boxed()))
    }
}
