//! Clients and consumers of other teams: their stubs, the pages for them, and the examples, run against the service and the broker.
//!
//! The commands and the settings come from the pages. Tests of a language need its tools and say so where these are missing.

mod asyncapi;
mod authority;
mod browsers;
mod compression;
mod consumers;
mod consuming;
mod contract;
mod flaky;
mod language;
mod log_page;
mod page;
mod proto_text;
mod retries;
mod stubs;
