//! Integration tests: one binary over a real Postgres and a real Kafka, which `tests/with-services` starts.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a test that fails shows what it saw")]

mod api;
mod audit;
mod chaos;
mod client;
mod commands;
mod dice;
mod halts;
mod instance;
mod load;
mod memory;
mod process;
mod relay;
mod script;
mod services;
mod store;
mod story;
mod writer;
