//! The service as its users run it: the built program in a process of its own, which can be killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::services;

/// Longest wait of a client for one call; a call to a process that was stopped would otherwise never end.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait until a service listens.
const START_TIMEOUT: Duration = Duration::from_mins(3);

/// What stands in the log's line on a call that went well; under load there are thousands of them.
const ORDINARY: &str = " INFO call{";

/// Where instances of one test keep and publish.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// URL of the database.
    pub(crate) database: String,
    /// The topic.
    pub(crate) topic: String,
}

/// A running service.
pub(crate) struct Instance {
    child: Child,
    /// gRPC and REST.
    pub(crate) public: SocketAddr,
    /// Health and metrics.
    pub(crate) private: SocketAddr,
    directory: TempDir,
}

impl Instance {
    /// Starts a service and waits until it listens.
    pub(crate) fn start(place: &Place) -> Self {
        Self::start_with(place, &[])
    }

    /// Starts a service with more settings, each the name and value of an environment variable.
    pub(crate) fn start_with(place: &Place, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let mut child = program(place, settings, directory.path()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (told, greeting) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || told.send(addresses(stdout)));
        let addresses = greeting.recv_timeout(START_TIMEOUT);
        let Ok(Some((public, private))) = addresses else {
            child.kill().unwrap();
            let status = child.wait().unwrap();
            panic!("the service does not listen ({status}):\n{}", read_log(&directory));
        };
        Self { child, public, private, directory }
    }

    /// A client of this instance.
    pub(crate) fn client(&self) -> RequestServiceClient<Channel> {
        RequestServiceClient::new(self.channel())
    }

    /// A connection to its public port.
    pub(crate) fn channel(&self) -> Channel {
        channel(self.public)
    }

    /// Kills the process as a power cut would: it gets to do nothing more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and waits for it.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for the end of the process, which was asked for before.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, name: &str) {
        services::signal(self.child.id(), name);
    }

    /// The most memory that the process has had so far, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the process runs");
        let kibibytes: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes << 10
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        read_log(&self.directory)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may have been killed before; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let told: Vec<&str> = log.lines().filter(|line| !line.contains(ORDINARY)).collect();
            eprintln!("--- log of the service at {}, but for calls that went well\n{}", self.public, told.join("\n"));
        }
    }
}

/// Runs a command of the program to its end, with more settings as above.
pub(crate) fn run(place: &Place, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    program(place, settings, directory.path()).args(arguments).output().unwrap()
}

/// The program, told by its environment where to keep and publish.
fn program(place: &Place, settings: &[(&str, &str)], directory: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cmgate"));
    program
        .current_dir(directory)
        .env("CMGATE__LISTEN", "127.0.0.1:0")
        .env("CMGATE__ADMIN_LISTEN", "127.0.0.1:0")
        .env("CMGATE__DATABASE__URL", &place.database)
        .env("CMGATE__KAFKA__BROKERS", services::kafka())
        .env("CMGATE__KAFKA__TOPIC", &place.topic)
        .env("CMGATE__TEMPLATES", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/templates"))
        .envs(settings.iter().copied());
    program
}

/// A connection to an address, made when it is used.
pub(crate) fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.timeout(CALL_TIMEOUT).connect_timeout(CALL_TIMEOUT).connect_lazy()
}

/// The addresses from the greeting of the service; `None` if it ended instead.
fn addresses(greeting: impl BufRead) -> Option<(SocketAddr, SocketAddr)> {
    let mut public = None;
    for line in greeting.lines().map_while(Result::ok) {
        let after = |label: &str| line.split_once(label).and_then(|(_, rest)| rest.trim().parse().ok());
        public = public.or(after("gRPC and REST: http://"));
        if let (Some(public), Some(private)) = (public, after("health and metrics: http://")) {
            return Some((public, private));
        }
    }
    None
}

fn read_log(directory: &TempDir) -> String {
    std::fs::read_to_string(directory.path().join("log")).unwrap_or_default()
}
