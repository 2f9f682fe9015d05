//! What a process needs whatever it does: its clock, its end, and what operators see of it.

pub mod clock;
pub mod shutdown;
pub mod telemetry;
