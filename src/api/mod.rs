//! The transports: gRPC and the legacy REST facade, siblings over the service, on one port.

pub mod rest;
pub mod status;
