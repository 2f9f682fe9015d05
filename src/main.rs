//! The process: parses the command line and runs the command.

use std::env;
use std::process::ExitCode;

use clap::Parser;
use cmgate::cli::{self, Cli, ExitStatus};
use cmgate_allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    cmgate_allocator::return_large_objects();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version go to standard output and succeed.
            let code = if answer.use_stderr() { ExitStatus::Usage.code() } else { 0 };
            // If the output is closed, the exit code is enough.
            let _ = answer.print();
            return ExitCode::from(code);
        }
    };
    match cli::run(&cli, env::vars_os().collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
