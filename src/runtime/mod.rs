//! The clock, readings of other clocks, signals, the supervisor, small files, bounded maps, gzip, sockets, IP networks, TLS configurations, terms of
//! tokens, and telemetry of the process.

pub mod bounded_map;
pub mod clock;
pub mod file;
pub mod gzip;
pub mod hangup;
pub mod jitter;
pub mod jwt;
pub mod network;
mod reload;
pub mod server_time;
pub mod shutdown;
pub mod socket;
pub mod supervisor;
pub mod telemetry;
pub mod tls;
pub mod watched_file;
