//! The built program running as a process, which can be killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::store::Publishing;
use serde_json::Value;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use super::client::Http;
use super::env::TestEnv;
use super::servers;
use super::wait::wait_until;

/// Timeout of a client call; a call to a suspended process would otherwise never end.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait until a service listens.
const START_TIMEOUT: Duration = Duration::from_mins(3);

/// Marks a log line about a successful call; under load there are thousands of them.
const ORDINARY: &str = " INFO call{";

/// A running service.
pub(crate) struct Instance {
    child: Child,
    /// The address of gRPC and REST.
    pub(crate) public: SocketAddr,
    /// A client of health and metrics.
    pub(crate) private: Http,
    directory: TempDir,
    /// Keeps the database as long as the service runs.
    _env: TestEnv,
}

impl Instance {
    /// See [`TestEnv::start_with`].
    pub(super) fn start(env: &TestEnv, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let mut program = program(env, settings, directory.path());
        let mut child = program.args(arguments).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (sender, greeting) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || sender.send(addresses(stdout)));
        let addresses = greeting.recv_timeout(START_TIMEOUT);
        let Ok(Some((public, private))) = addresses else {
            child.kill().unwrap();
            let status = child.wait().unwrap();
            panic!("the service does not listen ({status}):\n{}", read_log(&directory));
        };
        Self { child, public, private: Http::at(private), directory, _env: env.clone() }
    }

    /// A client of this instance.
    pub(crate) fn client(&self) -> RequestServiceClient<Channel> {
        RequestServiceClient::new(self.channel())
    }

    /// A connection to its public port.
    pub(crate) fn channel(&self) -> Channel {
        channel(self.public)
    }

    /// The relay workers according to `/readyz`: the state of each and what keeps it from publishing.
    pub(crate) async fn workers(&self) -> Vec<(String, String)> {
        let report = self.private.get("/readyz").await.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let workers = report["checks"]["relay"].as_array().unwrap();
        workers.iter().map(|worker| (text(&worker["state"]), text(&worker["detail"]))).collect()
    }

    /// Waits until all workers are in a state, and returns their details.
    pub(crate) async fn wait_until_all_are(&self, state: &str) -> Vec<String> {
        let mut details = Vec::new();
        wait_until(&format!("all relay workers are {state}"), async || {
            let workers = self.workers().await;
            let is_so = workers.iter().all(|(found, _)| found == state);
            details = workers.into_iter().map(|(_, detail)| detail).collect();
            is_so
        })
        .await;
        details
    }

    /// Waits until the relay has published a total number of events.
    pub(crate) async fn wait_until_published(&self, events: usize) {
        wait_until(&format!("{events} events are published"), async || {
            self.private.get("/metrics").await.metric("cmgate_relay_position") >= events as f64
        })
        .await;
    }

    /// Kills the process as a power cut would, without any cleanup.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and waits for it.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Ends the process cleanly.
    pub(crate) async fn end(self) {
        self.signal("TERM");
        self.ended().await;
    }

    /// Waits until the process has ended cleanly after a signal.
    pub(crate) async fn ended(mut self) {
        let ended = tokio::task::spawn_blocking(move || (self.wait(), self.log()));
        let (status, log) = ended.await.unwrap();
        assert!(status.success(), "{status}\n{log}");
    }

    /// Waits for the end of the process after a signal.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, name: &str) {
        servers::signal(self.child.id(), name);
    }

    /// Peak resident memory of the process, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the process runs");
        let kibibytes: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes << 10
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        read_log(&self.directory)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The process may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains(ORDINARY)).collect();
            eprintln!("--- log of the service at {}, but for calls that went well\n{}", self.public, lines.join("\n"));
        }
    }
}

/// The program with the database, the broker and the topic in its environment.
pub(super) fn program(env: &TestEnv, settings: &[(&str, &str)], directory: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cmgate"));
    // The built-in test broker knows transactions only.
    let has_broker = !settings.contains(&("CMGATE__KAFKA__BROKERS", ""));
    let publishing = if has_broker { env.publishing } else { Publishing::Transactions };
    program
        .current_dir(directory)
        .env("CMGATE__LISTEN", "127.0.0.1:0")
        .env("CMGATE__ADMIN_LISTEN", "127.0.0.1:0")
        .env("CMGATE__DATABASE__URL", env.database.url())
        .env("CMGATE__KAFKA__BROKERS", servers::kafka())
        .env("CMGATE__KAFKA__TOPIC", &env.topic)
        .env("CMGATE__KAFKA__PUBLISH", publishing.name())
        .env("CMGATE__TEMPLATES", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/templates"))
        .envs(settings.iter().copied());
    program
}

/// A lazy connection to an address.
pub(crate) fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.timeout(CALL_TIMEOUT).connect_timeout(CALL_TIMEOUT).connect_lazy()
}

/// The addresses from the banner; `None` if the program ended instead.
fn addresses(greeting: impl BufRead) -> Option<(SocketAddr, SocketAddr)> {
    let mut public = None;
    for line in greeting.lines().map_while(Result::ok) {
        let after = |label: &str| line.split_once(label).and_then(|(_, rest)| rest.trim().parse().ok());
        public = public.or(after("gRPC and REST: http://")).or(after("gRPC and REST: https://"));
        if let (Some(public), Some(private)) =
            (public, after("health and metrics: http://").or(after("health and metrics: https://")))
        {
            return Some((public, private));
        }
    }
    None
}

fn read_log(directory: &TempDir) -> String {
    std::fs::read_to_string(directory.path().join("log")).unwrap_or_default()
}

/// The words of a command that a text names between backticks, without the name of this program.
pub(crate) fn command_in(text: &str, command: &str) -> Vec<String> {
    let named = text.split('`').skip(1).step_by(2).find(|named| named.starts_with(command));
    let named = named.unwrap_or_else(|| panic!("{text} names no `{command}`"));
    named.split(' ').skip_while(|word| *word == "cmgate").map(str::to_owned).collect()
}
