//! The transports: gRPC and the legacy REST facade, siblings over the service, on one port; health and metrics on
//! another.

pub mod admin;
pub mod call;
pub mod grpc;
pub mod rest;
pub mod server;
pub mod status;

mod health;
mod public;
#[cfg(test)]
mod tests;

pub use health::Serving;
pub use public::{Api, ApiSettings, Transports, assemble};
