//! Integration tests: one binary over a real Postgres and a real Kafka, both started by `tests/with-services`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a test that fails shows what it saw")]

mod api;
mod audit;
mod chaos;
mod documented_example;
mod load;
mod memory;
mod process;
mod relay;
mod relay_halts;
mod script;
mod store;
mod support;
mod writer;
