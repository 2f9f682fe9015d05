//! Profile templates: read again at SIGHUP, and the newest version is in force whichever process stored it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::QUIET;
use crate::support::client::{CARDS, Http};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::servers::signal;
use crate::support::wait::wait_until;

/// A directory with the sample template of smart cards alone, under another name.
struct Files(TempDir);

impl Files {
    fn named(name: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.rename(name);
        files
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("smartcard.toml")
    }

    fn setting(&self) -> (&'static str, &str) {
        ("CMGATE__TEMPLATES", self.0.path().to_str().unwrap())
    }

    fn rename(&self, name: &str) {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates/smartcard.toml");
        let sample = fs::read_to_string(sample).unwrap();
        let line = sample.lines().find(|line| line.starts_with("name = ")).unwrap();
        fs::write(self.path(), sample.replacen(line, &format!("name = \"{name}\""), 1)).unwrap();
    }
}

/// Name and version of the template in force.
async fn in_force(instance: &Instance) -> (String, u32) {
    let path = format!("/CertificateManagement/api/v1.0/profiletemplates/{CARDS}");
    let view = Http::public(instance).get(&path).await.json();
    let metrics = instance.private.get("/metrics").await;
    let sample = format!("cmgate_template_version{{template=\"{CARDS}\"}} ");
    let version = metrics.body.lines().find_map(|line| line.strip_prefix(&sample)).unwrap();
    let name = ["Name", "name"].iter().find_map(|key| view[key].as_str()).unwrap_or_else(|| panic!("{view}"));
    (name.to_owned(), version.parse().unwrap())
}

fn expected(name: &str, version: u32) -> (String, u32) {
    (name.to_owned(), version)
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_puts_changed_templates_in_force_and_broken_ones_not() {
    let env = TestEnv::sqlite();
    let files = Files::named("one");
    let instance = env.start_with(&[files.setting(), ("CMGATE__KAFKA__BROKERS", "")]);
    assert_eq!(in_force(&instance).await, expected("one", 1));
    files.rename("two");
    instance.signal("HUP");
    wait_until("the changed template is in force", async || in_force(&instance).await == expected("two", 2)).await;

    fs::write(files.path(), "uuid = 1").unwrap();
    instance.signal("HUP");
    let failed = "cmgate_file_reloads_total{file=\"templates\",result=\"failed\"} 1";
    wait_until("the failure is counted", async || instance.private.get("/metrics").await.body.contains(failed)).await;
    assert_eq!(in_force(&instance).await, expected("two", 2));
    let log = instance.log();
    assert!(log.contains("smartcard.toml: ") && log.contains("; the templates in force stay"), "{log}");
    files.rename("three");
    instance.signal("HUP");
    wait_until("the repaired template is in force", async || in_force(&instance).await == expected("three", 3)).await;
    instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_with_older_files_leaves_the_newest_version_in_force() {
    let env = TestEnv::postgres().await;
    let (old, new) = (Files::named("one"), Files::named("two"));
    for (files, version) in [(&old, 1), (&new, 2)] {
        let instance = env.start_with(&[files.setting()]);
        assert_eq!(in_force(&instance).await.1, version);
        instance.end().await;
    }
    let diff = |files: &Files| {
        let output = env.run(&[files.setting(), QUIET], &["templates", "diff"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(diff(&new), (Some(0), String::new()));
    let differs = format!("{CARDS} (one) differs from version 2 in the database\n");
    assert_eq!(diff(&old), (Some(1), differs));

    let instance = env.start_with(&[old.setting()]);
    assert_eq!(in_force(&instance).await, expected("two", 2));
    assert!(instance.log().contains("set templates_rollback to replace it"), "{}", instance.log());
    instance.end().await;
    let instance = env.start_with(&[old.setting(), ("CMGATE__TEMPLATES_ROLLBACK", "true")]);
    assert_eq!(in_force(&instance).await, expected("one", 3));
    instance.end().await;
    assert_eq!(diff(&old), (Some(0), String::new()));
}

/// A database that accepts connections and never answers keeps the process starting.
#[test]
fn sighup_does_not_end_a_process_that_starts() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/x", silent.local_addr().unwrap());
    let mut program = Command::new(env!("CARGO_BIN_EXE_cmgate"));
    program.env("CMGATE__DATABASE__URL", url).env("CMGATE__LISTEN", "127.0.0.1:0").stdout(Stdio::null());
    program.env("CMGATE__TEMPLATES", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/templates"));
    let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    for expected in ["starting", "SIGHUP: reading files again"] {
        assert!(lines.any(|line| line.contains(expected)), "the process ended before it logged {expected:?}");
        signal(child.id(), "HUP");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
