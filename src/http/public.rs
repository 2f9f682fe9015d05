//! The public port: gRPC with health and reflection, the REST API under `/v1/`, and the legacy REST facade for everything else.

use std::convert::Infallible;
use std::future::ready;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use futures::future::Either;
use http::Request;
use thiserror::Error;
use tonic::service::Routes;
use tonic_reflection::server::{Builder, Error as ReflectionError};
use tower::{Layer, Service as _};

use super::auth::{Admission, Audit, Authentication};
use super::call::{CallFuture, CallLayer, CallSettings, Calls, Sample, Transport, begin_counting};
use super::rest;
use crate::contract::{DESCRIPTORS, JsonFormError};
use crate::grpc::{Callers, Credentials, Origins, Requests, Serving, Users};
use crate::mimcm::{FacadeSettings, RestApi};
use crate::service::{Budget, CallerLimitSettings, CallerLimits, Service};

/// Limits of the public port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    /// Limit on a gRPC message, in bytes.
    pub max_message_bytes: usize,
    /// Upper bound on the deadline of a call.
    pub max_duration: Duration,
    /// Bytes that all calls in flight may hold in memory together.
    pub max_memory_bytes: usize,
    /// The limits of each caller.
    pub caller_limits: CallerLimitSettings,
    /// One of how many successful calls is logged; 0 logs none.
    pub logged_successes: usize,
    /// Settings of the REST facade.
    pub rest: FacadeSettings,
}

/// The service of the public port, and the switch of its health service.
#[derive(Clone, Debug)]
pub struct Api {
    /// The service for [`super::server::serve`].
    pub calls: Transports,
    /// The switch of the health service.
    pub serving: Serving,
}

/// Routes each request to its transport: what is neither gRPC nor under `/v1/` goes to the facade. All transports have the layer of
/// [`call`](super::call); in the REST APIs it is inside of the router, which tells it the route.
#[derive(Clone, Debug)]
pub struct Transports {
    grpc: Calls<Router>,
    rest: Router,
    legacy: RestApi,
    origins: Origins,
}

/// Why the public port cannot be assembled: a defect of the build.
#[derive(Debug, Error)]
pub enum AssembleError {
    /// The compiled-in descriptors cannot be served.
    #[error("the descriptors of the contract cannot be served")]
    Reflection(#[from] ReflectionError),
    /// An answer of the REST API has no JSON form.
    #[error(transparent)]
    Json(#[from] JsonFormError),
}

/// Assembles the public port. Its health service reports `SERVING` from the start.
///
/// # Errors
/// The compiled-in descriptors cannot be parsed.
pub fn assemble(service: Service, authentication: Authentication, settings: ApiSettings) -> Result<Api, AssembleError> {
    let serving = Serving::default();
    let grpc = Routes::new(Requests::server(service.clone(), settings.max_message_bytes))
        .add_service(Credentials::server(service.clone(), settings.max_message_bytes))
        .add_service(Callers::server())
        .add_service(Users::server(service.clone(), settings.max_message_bytes))
        .add_service(serving.service())
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .into_axum_router();
    begin_counting();
    CallerLimits::begin_counting(authentication.entries());
    let layer = CallLayer::new(CallSettings {
        authentication,
        admission: Admission::new(service.directory().clone()),
        limits: CallerLimits::new(settings.caller_limits),
        audit: Audit::default(),
        max_duration: settings.max_duration,
        memory: Budget::new(settings.max_memory_bytes),
        max_message_bytes: settings.max_message_bytes,
        sample: Sample::new(settings.logged_successes),
    });
    // `Calls` refuses unknown methods, so they do not reach the fallback of `Routes`.
    let grpc = layer.layer(grpc.with_state(()));
    let rest = rest::router(&layer)?;
    let legacy = RestApi::new(service, settings.rest, layer);
    Ok(Api { calls: Transports { grpc, rest, legacy, origins: Origins::default() }, serving })
}

fn reflection() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // Lets tools decode error details.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
}

impl<B> tower::Service<Request<B>> for Transports
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Either<CallFuture, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // All services are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(browser) = self.origins.browser(request.headers()) else { return self.route(request) };
        if let Some(answer) = browser.preflight(&request) {
            return Either::Left(Box::pin(ready(Ok(answer))));
        }
        browser.call(&mut request);
        let answer = self.route(request);
        Either::Left(Box::pin(async move { answer.await.map(|response| browser.answer(response)) }))
    }
}

impl Transports {
    /// The same transports for scripts of these origins, too.
    #[must_use]
    pub fn with_origins(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    fn route<B>(&mut self, request: Request<B>) -> Either<CallFuture, RouteFuture<Infallible>>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        match Transport::of(request.headers(), request.uri().path()) {
            Transport::Grpc => Either::Left(self.grpc.call(request)),
            Transport::Rest => Either::Right(self.rest.call(request)),
            Transport::Legacy => Either::Right(self.legacy.call(request)),
        }
    }
}
