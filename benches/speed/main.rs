//! How fast cmgate is, as ratios against what the machine under it can do: `tests/with-services cargo bench --bench speed`.
//!
//! Every figure sets the service beside a yardstick that runs on the same cores and against the same servers, in turns,
//! and tells the median of the rounds. README.md says how to run it and what came out.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people at a terminal; it stops at what it cannot do"
)]

mod core;
mod echo;
mod figures;
mod grpc;
mod load;
mod pgbench;
mod place;
mod rest;
mod service;
mod settings;
mod table;
mod topic;

use std::env;

use crate::settings::Settings;
use crate::table::Table;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|role| role == echo::ROLE) {
        return echo::serve().await;
    }
    let settings = Settings::from_environment();
    println!("{} rounds of {:?}, figures: {}", settings.rounds, settings.duration, settings::told(&arguments));
    topic::warm_up().await;
    let mut table = Table::default();
    for (name, measure) in figures::ALL {
        if arguments.is_empty() || arguments.iter().any(|wanted| name == wanted) {
            measure(&settings, &mut table).await;
        }
    }
    println!("\n{table}");
}
