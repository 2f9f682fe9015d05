//! The process: reads the command line and the configuration, and does what was asked.

use std::env;
use std::process::ExitCode;

use clap::Parser;
use cmgate::cli::Cli;
use cmgate::config::Config;
use cmgate::exit::{Failure, FailureKind};
use mimalloc::MiMalloc;

/// Calls make and free many small things on many threads, which the allocator of the system is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version are answers too; only they go to standard output.
            let code = if answer.use_stderr() { FailureKind::Usage.code() } else { 0 };
            // If the output is closed, the code alone has to do.
            let _ = answer.print();
            return ExitCode::from(code);
        }
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let config = Config::load(cli.config.as_deref(), env::vars_os())?;
    cmgate::run::run(&cli.command(), &config)
}
