//! Integration tests: one binary over a real Postgres and a real Kafka, both started by `tests/with-services`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a failed test prints what it observed")]

mod api;
mod audit;
mod auth;
mod chaos;
mod clients;
mod documented_example;
mod load;
mod memory;
mod metrics;
mod negotiate;
mod process;
mod relay;
mod relay_halts;
mod script;
mod store;
mod support;
mod tls;
mod writer;
