//! The speed of cmgate relative to the machine: `tests/with-services cargo bench --bench speed`.
//!
//! Each figure is the median of several rounds. Most compare the service with a yardstick that runs on the same cores and against
//! the same servers, in alternation. docs/speed.md explains how to run them and shows results.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for a terminal; it stops at the first failure"
)]

mod core;
mod echo;
mod env;
mod figures;
mod grpc;
mod load;
mod pgbench;
mod proof;
mod rest;
mod service;
mod settings;
mod table;
mod topic;

use crate::settings::Settings;
use crate::table::Table;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|role| role == echo::ROLE) {
        return echo::serve().await;
    }
    let settings = Settings::from_environment();
    println!("{} rounds of {:?}, figures: {}", settings.rounds, settings.duration, settings::list(&arguments));
    topic::warm_up().await;
    let mut table = Table::default();
    for (name, measure) in figures::ALL {
        if arguments.is_empty() || arguments.iter().any(|wanted| name == wanted) {
            measure(&settings, &mut table).await;
        }
    }
    println!("\n{table}");
}
