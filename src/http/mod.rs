//! The HTTP server: connections, the layer around every call, authentication, and the two ports.
//!
//! The public port hands gRPC calls to [`grpc`](crate::grpc) and everything else to the legacy facade,
//! [`mimcm`](crate::mimcm). The admin port serves health and metrics.

pub mod admin;
pub mod auth;
pub mod call;
pub mod server;

mod public;
#[cfg(test)]
mod tests;

pub use public::{Api, ApiSettings, Transports, assemble};
