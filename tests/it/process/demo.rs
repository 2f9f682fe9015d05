//! `cmgate demo`: the lines that it prints work when they are pasted, its files are reused, and it touches no files of others.

mod grpcurl;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tokio::task::spawn_blocking;

use self::grpcurl::StandIn;
use crate::support::env::TestEnv;
use crate::support::servers::signal;

/// The lines that people type before those of the banner. A failed command ends the session.
const SHELL: &str = "set -euo pipefail";
/// Separates the output of one line from that of the next.
const MARK: &str = "---8<---";

/// A running demo.
struct Demo {
    child: Child,
    greeting: String,
}

impl Demo {
    fn start(directory: &Path) -> Self {
        let mut child = command(directory).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut greeting = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !greeting.contains("health and metrics: ") {
            assert_ne!(stdout.read_line(&mut greeting).unwrap(), 0, "the demo ended: {greeting}");
        }
        Self { child, greeting }
    }

    /// The lines to paste, which are indented.
    fn lines(&self) -> Vec<&str> {
        self.greeting.lines().filter_map(|line| line.strip_prefix("  ")).collect()
    }

    fn stop(mut self) {
        signal(self.child.id(), "TERM");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The demo in a directory, on free ports.
fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cmgate"));
    command.env("CMGATE__LISTEN", "127.0.0.1:0").env("CMGATE__ADMIN_LISTEN", "127.0.0.1:0").current_dir("/");
    command.arg("demo").arg("--directory").arg(directory);
    command
}

/// Pastes lines into one shell, and returns each with its output. Without grpcurl, a stand-in makes the calls of its lines.
fn paste(lines: &[&str]) -> Vec<(String, String)> {
    let stand_in = StandIn::start();
    let mut script = format!("{SHELL}\n{}\n", stand_in.definition());
    for line in lines {
        script.extend([line, "\necho; echo '", MARK, "'\n"]);
    }
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let (shown, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{shown}\n{errors}");
    let outputs = shown.split(MARK).map(|text| text.trim().to_owned());
    lines.iter().map(|line| (*line).to_owned()).zip(outputs).collect()
}

/// The output of the line that contains a text.
fn output_of<'a>(pasted: &'a [(String, String)], text: &str) -> &'a str {
    let line = pasted.iter().find(|(line, _)| line.contains(text));
    &line.unwrap_or_else(|| panic!("no line with {text}: {pasted:?}")).1
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_lines_work_when_they_are_pasted() {
    let outer = tempfile::tempdir().unwrap();
    let demo = Demo::start(&outer.path().join("de mo"));
    assert!(demo.greeting.starts_with("DEMO, not for production: "), "{}", demo.greeting);
    let lines: Vec<String> = demo.lines().into_iter().map(str::to_owned).collect();
    let pasted = spawn_blocking(move || paste(&lines.iter().map(String::as_str).collect::<Vec<_>>())).await.unwrap();

    let alice = json(output_of(&pasted, "/v1/whoami"));
    assert_eq!(alice["caller"]["name"], "Alice, a user", "{alice}");
    let created = json(output_of(&pasted, "datacollection"));
    let id = created.as_str().and_then(|uri| uri.strip_prefix("api/v1.0/requests/")).unwrap();
    assert!(output_of(&pasted, "?status=Pending").contains(id), "{pasted:?}");

    for (method, status) in [
        ("ApproveRequest", "REQUEST_STATUS_APPROVED"),
        ("StartRequest", "REQUEST_STATUS_EXECUTING"),
        ("CompleteRequest", "REQUEST_STATUS_COMPLETED"),
    ] {
        assert_eq!(json(output_of(&pasted, method))["request"]["status"], status, "{method}");
    }
    let completed = json(output_of(&pasted, "CompleteRequest"))["request"]["id"].clone();
    let listed = json(output_of(&pasted, "GetRequests"));
    assert!(listed["requests"].as_array().unwrap().iter().any(|request| request["id"] == completed), "{listed}");

    let bob = json(output_of(&pasted, "$BOB\" 127.0.0.1"));
    assert_eq!(
        (&bob["caller"]["name"], &bob["caller"]["proof"]["entry"]),
        (&"Bob, an approver".into(), &"demo".into())
    );
    let client = json(output_of(&pasted, "client.pem"));
    assert_eq!(client["caller"]["proof"]["method"], "PROOF_METHOD_CERTIFICATE", "{client}");
    demo.stop();
}

/// The lines of the first session in the README, at the address of this test.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_session_of_the_readme_works() {
    const README: &str = include_str!("../../../README.md");
    let (_, session) = README.split_once("## A first session").unwrap();
    let (session, _) = session.split_once("\n## ").unwrap();
    let blocks: Vec<&str> = session.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let [rest, _, grpc, tail, kcat] = blocks.as_slice() else { panic!("{blocks:?}") };
    assert!(kcat.starts_with("kcat "), "needs a consumer, which other tests have");

    let env = TestEnv::sqlite();
    let instance = env.start();
    let here = |block: &str| {
        block.replace("127.0.0.1:8080", &instance.public.to_string()).replace("curl -i ", "curl -sS -w '\\n' ")
    };
    let lines = [here(rest), here(grpc)];
    let pasted = spawn_blocking(move || paste(&lines.iter().map(String::as_str).collect::<Vec<_>>())).await.unwrap();
    let created = pasted[0].1.lines().next().unwrap();
    let id = json(created).as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert!(pasted[0].1.lines().skip(1).any(|listed| listed.contains(&id)), "{pasted:?}");
    assert!(pasted[1].1.contains("REQUEST_STATUS_COMPLETED"), "{pasted:?}");
    instance.end().await;

    let arguments: Vec<&str> = tail.trim().strip_prefix("cargo run -- ").unwrap().split(' ').collect();
    let events = env.run(&[], &arguments);
    assert_eq!(
        String::from_utf8(events.stdout).unwrap().lines().count(),
        4,
        "two creations, an approval, a completion"
    );
}

/// A call that a line of the banner makes, without its token.
#[test]
fn a_call_without_a_token_is_refused() {
    let outer = tempfile::tempdir().unwrap();
    let demo = Demo::start(&outer.path().join("demo"));
    let lines = demo.lines();
    let list = lines.iter().find(|line| line.contains("?status=Pending")).unwrap().replace("-H \"$ALICE\"", "");
    let anonymous = list.replace("--fail-with-body", "-w '%{http_code}'");
    assert!(!anonymous.contains("ALICE"), "{anonymous}");
    let pasted = paste(&[lines[0], &anonymous]);
    assert!(pasted[1].1.ends_with("401"), "{pasted:?}");
    demo.stop();
}

#[test]
fn a_second_start_reuses_the_files_and_accepts_earlier_tokens() {
    const KEPT: [&str; 6] = ["ca.pem", "server.pem", "server.key", "client.pem", "issuer.key", "jwks.json"];
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("data/demo");
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    Demo::start(&directory).stop();
    let (before, token) = (KEPT.map(read), read("alice.token"));
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.clone()), 0o700);
    for secret in ["server.key", "client.key", "issuer.key", "alice.token"] {
        assert_eq!(mode(directory.join(secret)), 0o600, "{secret}");
    }

    let demo = Demo::start(&directory);
    assert_eq!(KEPT.map(read), before);
    assert_ne!(read("alice.token"), token);
    let lines = demo.lines();
    let list = lines.iter().find(|line| line.contains("?status=Pending")).unwrap();
    let earlier = format!("ALICE='Authorization: Bearer {}'", token.trim());
    paste(&[lines[0], &earlier, list]);
    demo.stop();
}

/// The sentence with which a demo does not start.
fn refusal(output: &Output, code: i32) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(output.stdout.is_empty() && message.lines().count() == 1, "{output:?}");
    message.strip_prefix("cmgate: ").unwrap().trim_end().to_owned()
}

#[test]
fn a_directory_of_others_and_one_without_rights_are_refused_with_a_sentence() {
    // A demo that does not refuse the directory ends all the same, with another sentence.
    let command = |directory: &Path| {
        let mut command = command(directory);
        command.env("CMGATE__MODE", "production");
        command
    };
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().canonicalize().unwrap();
    fs::write(directory.join("thesis.txt"), "text").unwrap();
    let refused = refusal(&command(&directory).output().unwrap(), 64);
    let sentence = "has files, but not those of a demo; name a new directory with --directory, or empty this one";
    assert_eq!(refused, format!("{} {sentence}", directory.display()));

    let file = directory.join("thesis.txt/demo");
    let refused = refusal(&command(&file).output().unwrap(), 64);
    assert_eq!(refused, format!("cannot create {}: File exists (os error 17)", file.parent().unwrap().display()));

    fs::set_permissions(&directory, fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = command(&directory.join("demo"));
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // Root may write everywhere.
        command.uid(65_534);
    }
    let refused = refusal(&command.output().unwrap(), 77);
    assert_eq!(refused, format!("cannot create {}/demo: Permission denied (os error 13)", directory.display()));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn the_demo_does_not_run_in_production() {
    let outer = tempfile::tempdir().unwrap();
    let output = command(outer.path()).env("CMGATE__MODE", "production").output().unwrap();
    let refused = refusal(&output, 64);
    assert!(refused.starts_with("auth.jwt[0].issuers must not contain urn:cmgate:demo in production"), "{refused}");
    let output = command(outer.path()).args(["--config", "a.toml"]).output().unwrap();
    assert_eq!(refusal(&output, 64), "demo writes its own configuration; run it without --config");
}
