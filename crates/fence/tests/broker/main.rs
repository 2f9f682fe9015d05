//! Tests against a real Kafka: `tests/with-services cargo test -p cmgate-fence --test broker`. Without `CMGATE_TEST_KAFKA` they say
//! so and test nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue fails")]
#![expect(clippy::print_stderr, reason = "a test says what it did, and why it did nothing")]

mod appends;
mod chaos;
mod fences;
mod logins;
mod proxy;
mod support;
