//! The clock, shutdown, and telemetry of the process.

pub mod clock;
pub mod shutdown;
pub mod telemetry;
