//! The HTTP server: connections, the layer around every call, authentication, and the two ports.
//!
//! The public port hands gRPC calls to [`grpc`](crate::grpc), paths under `/v1/` to the service's own REST API, and everything else
//! to the legacy facade, [`mimcm`](crate::mimcm). The admin port serves health and metrics.

pub mod admin;
pub mod auth;
pub mod call;
pub mod server;

mod public;
mod rest;
#[cfg(test)]
mod tests;

pub use public::{Api, ApiSettings, AssembleError, Transports, assemble};
