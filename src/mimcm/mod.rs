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

/// Settings of the facade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacadeSettings {
    /// Longest body, in bytes.
    pub body_bytes: usize,
    /// Number of U+0000 characters at the end of a request's security descriptor. MIM CM sent some, in no documented pattern;
    /// they matter only to byte-for-byte comparisons with its answers.
    pub descriptor_nul_tail: u8,
}

/// The router for every path that is not gRPC. It expects a [`Call`](crate::service::Call) in the extensions of the request
/// and answers 401 without one.
pub fn router(service: Service, settings: FacadeSettings) -> Router {
    // axum's routes cannot match paths case-insensitively.
    Router::new().fallback(handlers::answer).with_state(handlers::Facade { service, settings })
}
