//! Length and number of measurements, from the environment because `cargo bench` has its own arguments.

use std::env;
use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

/// The settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `CMGATE_BENCH_ROUNDS`: turns of each figure; the median is printed.
    pub(crate) rounds: usize,
    /// `CMGATE_BENCH_SECONDS`: how long a load is measured in each turn.
    pub(crate) duration: Duration,
    /// `CMGATE_BENCH_EVENTS`: unpublished events at the start of a drain.
    pub(crate) events: usize,
    /// `CMGATE_BENCH_ROWS`: requests in the larger table of the lists.
    pub(crate) rows: u64,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        Self {
            rounds: variable("CMGATE_BENCH_ROUNDS", 5),
            duration: Duration::from_secs(variable("CMGATE_BENCH_SECONDS", 5)),
            events: variable("CMGATE_BENCH_EVENTS", 1_000_000),
            rows: variable("CMGATE_BENCH_ROWS", 10_000_000),
        }
    }
}

/// `CMGATE_BENCH_PROGRAM`: the program to measure instead of this build, to compare two versions under the same load.
pub(crate) fn program() -> OsString {
    env::var_os("CMGATE_BENCH_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_cmgate").into())
}

fn variable<T: FromStr>(name: &str, default: T) -> T {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
}

/// The selected figures as text.
pub(crate) fn list(figures: &[String]) -> String {
    if figures.is_empty() { "all".to_owned() } else { figures.join(", ") }
}
