//! The clock, signals, IP networks, TLS configurations, and telemetry of the process.

pub mod clock;
pub mod hangup;
pub mod network;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
