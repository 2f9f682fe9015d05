//! The measured processes: the released program, and the server with the empty handler.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::env::{self, BenchEnv};
use crate::settings;

/// Clock ticks per second in `/proc/PID/stat`: 100 on every Linux that Rust supports.
const TICKS: f64 = 100.0;

/// A running server process.
pub(crate) struct Process {
    child: Child,
    /// Address of its public port.
    pub(crate) address: SocketAddr,
    /// Directory of the process, deleted when the process ends.
    _directory: TempDir,
}

/// Starts the service. It does not log single calls, as in production under load.
pub(crate) fn cmgate(env: &BenchEnv) -> Process {
    cmgate_with(env, &[])
}

/// The same with more settings, each the name and value of an environment variable.
pub(crate) fn cmgate_with(env: &BenchEnv, settings: &[(String, String)]) -> Process {
    let mut program = program();
    program
        .env("CMGATE__DATABASE__URL", &env.database)
        .env("CMGATE__KAFKA__BROKERS", env::kafka())
        .env("CMGATE__KAFKA__TOPIC", &env.topic)
        .envs(settings.iter().cloned());
    Process::start(program)
}

/// Starts the service with everything in one process.
pub(crate) fn embedded() -> Process {
    Process::start(program())
}

fn program() -> Command {
    let mut program = Command::new(settings::program());
    program
        .env("CMGATE__LISTEN", "127.0.0.1:0")
        .env("CMGATE__ADMIN_LISTEN", "127.0.0.1:0")
        .env("CMGATE__LOG__FILTER", "info,cmgate::call=warn,cmgate::http::call=warn")
        .env("CMGATE__TEMPLATES", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/templates"));
    program
}

impl Process {
    /// Starts a program and waits until it prints its address.
    pub(crate) fn start(mut program: Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let mut child = program.current_dir(directory.path()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let address = stdout.lines().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("gRPC and REST: ")?;
            let (_scheme, address) = address.split_once("://")?;
            address.trim().parse().ok()
        });
        let Some(address) = address else {
            let log = fs::read_to_string(directory.path().join("log")).unwrap();
            panic!("the service ended with {}:\n{log}", child.wait().unwrap());
        };
        Self { child, address, _directory: directory }
    }

    /// Processor time used so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The second field is the name in parentheses, which may contain any character.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
        (ticks(14) + ticks(15)) / TICKS
    }

    /// Resident memory, in MiB.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The measurement has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
