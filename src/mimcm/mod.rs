//! The legacy facade: the MIM CM REST API as its callers know it, over the same use cases as gRPC.
//!
//! What it takes and tells is made from domain types alone. Names and numbers of MIM CM live here and nowhere else.
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
mod error;
mod guid;
mod handlers;
mod headers;
mod items;
mod json;
mod list;
mod metadata;
mod path;
mod query;
mod template_view;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod unsupported;
mod value;
mod view;
mod write;

use axum::Router;

use crate::service::Service;

pub use caching::complete;
pub use error::{mismatch, refusal};
pub use path::route;

/// How the facade behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacadeSettings {
    /// Longest body, in bytes.
    pub body_bytes: usize,
    /// How many U+0000 end the security descriptor of a request. MIM CM sent some, in no pattern that the documents tell;
    /// only a comparison byte for byte wants them.
    pub descriptor_nul_tail: u8,
}

/// What answers every path that is not gRPC. It expects a [`Call`](crate::service::Call) among the extensions of the
/// request; without one, the caller is not known.
pub fn router(service: Service, settings: FacadeSettings) -> Router {
    // Paths are matched in any case, which the routes of axum cannot do.
    Router::new().fallback(handlers::answer).with_state(handlers::Facade { service, settings })
}
