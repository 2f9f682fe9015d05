//! The health service of gRPC, as load balancers and clients ask for it: `grpc.health.v1.Health`.

use std::future::ready;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{Known, Requests};
use crate::contract::v1::credential_service_server::CredentialServiceServer;
use crate::contract::v1::request_service_server::RequestServiceServer;

/// Names that have a health: the whole server, and the services of the contract. All share one.
const NAMES: [&str; 3] = [
    "",
    <RequestServiceServer<Requests> as NamedService>::NAME,
    <CredentialServiceServer<Known> as NamedService>::NAME,
];

/// Longest message of a health call; names of services are short.
const MESSAGE_BYTES: usize = 4 << 10;

/// The switch of the health service. The service serves until [`Self::end`].
#[derive(Clone, Debug)]
pub struct Serving(watch::Sender<bool>);

/// The health service over its switch.
#[derive(Debug)]
pub struct HealthService(watch::Receiver<bool>);

/// The health service and its switch.
#[must_use]
pub fn health() -> (Serving, HealthServer<HealthService>) {
    let (sender, receiver) = watch::channel(true);
    (Serving(sender), HealthServer::new(HealthService(receiver)).max_decoding_message_size(MESSAGE_BYTES))
}

impl Serving {
    /// Reports that new calls are not welcome, and ends the streams of the clients that watch: a server that stops would
    /// wait for them.
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
            return Err(Status::not_found("there is no service of this name"));
        }
        Ok(Response::new(answer(status(*self.0.borrow()))))
    }

    /// A name without a service has a health too, as the protocol wants: a client waits for a service to appear.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let is_known = NAMES.contains(&request.get_ref().service.as_str());
        let mut changes = self.0.clone();
        let is_serving = *changes.borrow_and_update();
        let first = if is_known { status(is_serving) } else { ServingStatus::ServiceUnknown };
        let end = stream::once(async move {
            // An error would mean that the switch is gone, and the server with it.
            let _ = changes.wait_for(|is_serving| !is_serving).await;
            ServingStatus::NotServing
        });
        let end = end.filter(move |_| ready(is_known && is_serving));
        Ok(Response::new(stream::once(ready(first)).chain(end).map(|status| Ok(answer(status))).boxed()))
    }
}
