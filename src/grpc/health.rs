//! The gRPC health service `grpc.health.v1.Health`, for load balancers and clients.

use std::future::ready;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{Callers, Credentials, Requests};
use crate::contract::v1::caller_service_server::CallerServiceServer;
use crate::contract::v1::credential_service_server::CredentialServiceServer;
use crate::contract::v1::request_service_server::RequestServiceServer;

/// Names with a health status: the whole server, and the services of the contract. All share one status.
const NAMES: [&str; 4] = [
    "",
    <RequestServiceServer<Requests> as NamedService>::NAME,
    <CredentialServiceServer<Credentials> as NamedService>::NAME,
    <CallerServiceServer<Callers> as NamedService>::NAME,
];

/// Limit on the message of a health call; service names are short.
const MESSAGE_BYTES: usize = 4 << 10;

/// Switches the health service, which reports `SERVING` until [`Self::end`].
#[derive(Clone, Debug)]
pub struct Serving(watch::Sender<bool>);

/// Implements the health service; reports the state of [`Serving`].
#[derive(Debug)]
pub struct HealthService(watch::Receiver<bool>);

/// The health service and its switch.
#[must_use]
pub fn health() -> (Serving, HealthServer<HealthService>) {
    let (sender, receiver) = watch::channel(true);
    (Serving(sender), HealthServer::new(HealthService(receiver)).max_decoding_message_size(MESSAGE_BYTES))
}

impl Serving {
    /// Reports `NOT_SERVING` and ends all watch streams, because a graceful shutdown would wait for them.
    pub fn end(&self) {
        self.0.send_replace(false);
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

fn status(is_serving: bool) -> ServingStatus {
    if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing }
}

#[async_trait]
impl Health for HealthService {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !NAMES.contains(&request.get_ref().service.as_str()) {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(answer(status(*self.0.borrow()))))
    }

    /// An unknown service gets a stream too, as the protocol requires: clients wait for the service to appear.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let is_known = NAMES.contains(&request.get_ref().service.as_str());
        let mut changes = self.0.clone();
        let is_serving = *changes.borrow_and_update();
        let first = if is_known { status(is_serving) } else { ServingStatus::ServiceUnknown };
        let end = stream::once(async move {
            // Fails only if `Serving` was dropped, and then the server has ended too.
            let _ = changes.wait_for(|is_serving| !is_serving).await;
            ServingStatus::NotServing
        });
        let end = end.filter(move |_| ready(is_known && is_serving));
        Ok(Response::new(stream::once(ready(first)).chain(end).map(|status| Ok(answer(status))).boxed()))
    }
}
