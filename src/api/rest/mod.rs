//! The legacy facade: the MIM CM REST API as its callers know it, over the same use cases as gRPC.
//!
//! What it takes and tells is made from domain types alone. Names and numbers of MIM CM live here and nowhere else.

mod body;
mod change;
mod error;
mod guid;
mod handlers;
mod headers;
mod items;
mod json;
mod list;
mod numbers;
mod path;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod view;

use axum::Router;

use crate::service::Service;

pub use error::refusal;
pub use path::route;

/// How much the facade takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest body, in bytes.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 1 << 20 }
    }
}

/// What answers every path that is not gRPC. It expects a [`Call`](crate::service::Call) among the extensions of the
/// request; without one, the caller is not known.
pub fn router(service: Service, limits: Limits) -> Router {
    // Paths are matched in any case, which the routes of axum cannot do.
    Router::new().fallback(handlers::answer).with_state(handlers::Facade { service, limits })
}
