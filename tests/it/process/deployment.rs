//! The files in `deploy/`: the production configuration as the Compose file runs it, the defaults of image and unit, and the unit.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::database::TestDatabase;
use crate::support::env::TestEnv;
use crate::support::servers::{fresh_topic, kafka, signal};

/// Where the files say that secrets are.
const SECRETS: &str = "/etc/cmgate/secrets";
const PROGRAM: &str = env!("CARGO_BIN_EXE_cmgate");

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap()
}

fn trial(arguments: &[&str]) -> String {
    let output = Command::new(deploy("trial.sh")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The production configuration with secrets in a directory of this test.
struct Trial {
    directory: TempDir,
    secrets: String,
}

impl Trial {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let secrets = directory.path().join("secrets").display().to_string();
        trial(&["files", &secrets]);
        let production = text("production.toml").replace(SECRETS, &secrets);
        fs::write(directory.path().join("cmgate.toml"), production).unwrap();
        Self { directory, secrets }
    }

    /// The program with the defaults of the image and the environment of the container.
    fn program(&self) -> Command {
        let mut program = Command::new(PROGRAM);
        program.current_dir(self.directory.path()).env("CMGATE_DEFAULTS", deploy("defaults.toml"));
        program.env("CMGATE__TEMPLATES", deploy("templates"));
        let compose = text("compose.yaml");
        let settings = compose.lines().filter_map(|line| line.trim().split_once(": "));
        for (name, value) in settings.filter(|(name, _)| name.starts_with("CMGATE__")) {
            program.env(name, value.trim_matches('"').replace(SECRETS, &self.secrets));
        }
        program.args(["--config", "cmgate.toml"]);
        program
    }
}

fn shown(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn check_config_accepts_the_production_configuration_and_nothing_outranks_it() {
    let trial = Trial::new();
    let shown = shown(&trial.program().arg("check-config").output().unwrap());
    for line in ["mode = \"production\"", "listen = \"0.0.0.0:8443\"", "url_file = \""] {
        assert!(shown.lines().any(|found| found.starts_with(line)), "{line} is not in\n{shown}");
    }
    // The defaults of image and unit name SQLite; a file that names Postgres must win.
    assert!(!shown.contains("sqlite://"), "{shown}");
    for name in ["Dockerfile", "cmgate.service"] {
        let set = text(name);
        let outranks = set.lines().filter(|line| !line.starts_with('#') && line.contains("CMGATE__"));
        assert_eq!(outranks.collect::<Vec<_>>(), Vec::<&str>::new(), "{name}");
        assert!(set.contains("CMGATE_DEFAULTS=/etc/cmgate/defaults.toml"), "{name}");
    }
}

/// What the Compose file runs, with the Postgres and the Kafka of the tests.
#[tokio::test(flavor = "multi_thread")]
async fn the_trial_serves_its_tokens_over_tls() {
    let trial_files = Trial::new();
    let database = TestDatabase::postgres().await;
    fs::write(format!("{}/database_url", trial_files.secrets), database.url()).unwrap();
    let mut program = trial_files.program();
    program.env("CMGATE__KAFKA__BROKERS", kafka()).env("CMGATE__KAFKA__TOPIC", fresh_topic());
    program.env("CMGATE__LISTEN", "127.0.0.1:0").env("CMGATE__ADMIN_LISTEN", "127.0.0.1:0");
    program.env("CMGATE__SHUTDOWN__DELAY", "0s");
    let mut service = Service::start(program.arg("serve"));
    let address = service.address();
    assert!(service.greeting.contains("production mode, Postgres database "), "{}", service.greeting);

    let token = trial(&["token", &trial_files.secrets, "alice"]);
    let call = |token: &str| {
        let url = format!("{address}/CertificateManagement/api/v1.0/requests?status=Pending&targetuser=current");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-w", " %{http_code}", "--cacert", &format!("{}/ca.pem", trial_files.secrets)]);
        curl.args(["-H", &format!("Authorization: Bearer {token}"), &url]);
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    // No request is pending.
    assert_eq!(call(&token), " 204");
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert!(call(&format!("{signed}.AAAA")).ends_with(" 401"));
    service.stop();
}

#[test]
fn the_trial_makes_only_what_is_missing() {
    let trial_files = Trial::new();
    let read = |name: &str| fs::read_to_string(format!("{}/{name}", trial_files.secrets)).unwrap();
    let names = ["database_url", "postgres_password", "server.pem", "server.key", "issuer.key", "jwks.json"];
    let before = names.map(read);
    assert!(before[0].contains(before[1].trim()));
    trial(&["files", &trial_files.secrets]);
    assert_eq!(names.map(read), before);
    let wrong = Command::new(deploy("trial.sh")).arg("token").output().unwrap();
    assert_eq!(wrong.status.code(), Some(64), "{wrong:?}");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("trial.sh token DIRECTORY NAME"), "{wrong:?}");
}

/// The supervisor of a unit with `Type=notify` hears when the service serves, and when it ends.
#[test]
fn the_supervisor_is_notified() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    let received = || {
        let mut buffer = [0; 256];
        let length = supervisor.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let settings = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("CMGATE__KAFKA__BROKERS", "")];
    let mut instance = TestEnv::sqlite().start_with(&settings);
    assert_eq!(received(), format!("READY=1\nSTATUS=gRPC and REST at http://{}\n", instance.public));
    assert!(instance.terminate().success());
    assert_eq!(received(), "STOPPING=1\n");
}

/// A supervisor that kills the process before the drain is over would cut off calls.
#[test]
fn supervisors_wait_longer_than_a_shutdown_takes() {
    let trial = Trial::new();
    let shown: toml::Table = shown(&trial.program().arg("check-config").output().unwrap()).parse().unwrap();
    let seconds = |text: &str| -> u64 { text.trim_end_matches('s').parse().unwrap() };
    let times = ["delay", "grace"].map(|key| seconds(shown["shutdown"][key].as_str().unwrap()));
    assert!(times[0] > 0, "production tells load balancers before it stops");
    for (name, key) in [
        ("cmgate.service", "TimeoutStopSec="),
        ("compose.yaml", "stop_grace_period: "),
        ("kubernetes.yaml", "terminationGracePeriodSeconds: "),
    ] {
        let text = text(name);
        let value = text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{name}"));
        assert!(seconds(value) > times[0] + times[1], "{name}: {key}{value} against {times:?}");
    }
}

/// The page states the versions that the tests run against.
#[test]
fn the_supported_versions_are_the_tested_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (services, page) = (read("tests/services/pom.xml"), read("docs/operations.md"));
    let version_after = |artifact: &str| {
        let (_, rest) = services.split_once(&format!("<artifactId>{artifact}</artifactId>")).unwrap();
        let (_, version) = rest.split_once("<version>").unwrap();
        version.split_once("</version>").unwrap().0.to_owned()
    };
    for (name, artifact) in
        [("Postgres", "embedded-postgres-binaries-${postgres.platform}"), ("Apache Kafka", "kafka_2.13")]
    {
        let row = page.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
        let tested = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        assert!(version_after(artifact).starts_with(tested), "{row} against {}", version_after(artifact));
    }
}

#[test]
fn systemd_accepts_the_unit() {
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("cmgate.service");
    fs::write(&unit, text("cmgate.service").replace("/usr/local/bin/cmgate", PROGRAM)).unwrap();
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        println!("SKIPPED: systemd-analyze is not installed, so nothing has verified the unit");
        return;
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains("cmgate.service"), "{told}");
}

/// A running service with its banner.
struct Service {
    child: Child,
    greeting: String,
}

impl Service {
    fn start(program: &mut Command) -> Self {
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut greeting = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !greeting.contains("health and metrics: ") {
            assert_ne!(stdout.read_line(&mut greeting).unwrap(), 0, "the service ended: {greeting}");
        }
        Self { child, greeting }
    }

    /// The URL of gRPC and REST.
    fn address(&self) -> &str {
        self.greeting.lines().find_map(|line| line.strip_prefix("gRPC and REST: ")).unwrap()
    }

    fn stop(&mut self) {
        signal(self.child.id(), "TERM");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
