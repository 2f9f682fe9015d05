//! The legacy facade: the REST API of MIM CM over the same use cases as gRPC.
//!
//! It reads and writes domain types only. The names and numbers of MIM CM appear in no other module.
//!
#![doc = include_str!("forms.md")]

mod answer;
mod binding;
mod body;
mod caching;
mod change;
mod codes;
mod credential_view;
mod credentials;
mod dispatch;
mod error;
mod guid;
mod handlers;
mod headers;
mod incoming;
mod items;
mod json;
mod list;
mod metadata;
mod path;
mod query;
mod routes;
mod template_view;
mod templates;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod unsupported;
mod value;
mod view;
mod write;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http::Request;

use crate::service::Service;

pub use caching::add_caching_headers;
pub use dispatch::{RouteLabel, RouteLayer, RouteService};
pub use error::{mismatch, refusal};

/// Settings of the facade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacadeSettings {
    /// Longest body, in bytes.
    pub body_bytes: usize,
    /// Number of U+0000 characters at the end of a request's security descriptor. MIM CM sent some, in no documented pattern;
    /// they matter only to byte-for-byte comparisons with its answers.
    pub descriptor_nul_tail: u8,
}

/// The REST API for every path that is not gRPC: one router behind the normaliser of paths.
#[derive(Clone, Debug)]
pub struct RestApi {
    router: Router,
}

impl RestApi {
    /// Builds the API. The layer surrounds every answer, including those to unknown paths, and finds the [`RouteLabel`] of a
    /// call in the extensions of the request. Handlers expect a [`Call`](crate::service::Call) there and answer 401 without one.
    #[must_use]
    pub fn new(service: Service, settings: FacadeSettings, layer: impl RouteLayer) -> Self {
        // Each call clones the state of the router several times.
        let service = Arc::new(service);
        Self { router: routes::routes(layer).into_router(handlers::Facade { service, settings }) }
    }
}

impl<B> tower::Service<Request<B>> for RestApi
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routers are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        path::normalize(&mut request);
        self.router.call(request)
    }
}
