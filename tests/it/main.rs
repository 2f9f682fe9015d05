//! Integration tests: one binary over a real Postgres and a real Kafka, which `tests/with-services` starts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod audit;
mod commands;
mod services;
mod store;
