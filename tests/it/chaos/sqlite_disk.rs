//! The disk of a SQLite database fills up for a while. The test reruns itself in a private mount namespace with a small disk.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::figures::Figures;
use super::rounds;
use crate::load::{Addresses, Answered, Load};
use crate::support::database::TestDatabase;
use crate::support::env::TestEnv;
use crate::support::random;
use crate::support::wait::wait_until;

/// Names the directory on the small disk.
const DISK: &str = "CMGATE_TEST_SQLITE_DISK";

/// Exit code of the shell below if it may not mount.
const LACKING: i32 = 69;

/// Mounts a disk of 64 MiB at the first argument and runs the others.
const ON_DISK: &str = "mount -t tmpfs -o size=64m cmgate-test \"$0\" || exit 69; exec \"$@\"";

const CLIENTS: usize = 8;
const ROUNDS: u32 = 3;

/// Changes that are acknowledged before and after the disk is full.
const PROGRESS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn writes_resume_when_a_full_sqlite_disk_has_room_again() {
    let Some(disk) = env::var_os(DISK) else { return on_a_small_disk() };
    let disk = Path::new(&disk);
    let seed = random::seed();
    let figures = Figures::new("sqlite_disk_full", seed);
    let env = TestEnv::new(TestDatabase::at(format!("sqlite://{}", disk.join("cmgate.db").display())));
    let instance = env.start();
    let private = instance.private.clone();
    let addresses = Addresses::default();
    addresses.set(vec![instance.public]);
    let (mut answered, mut events) = (Vec::new(), 0);
    for round in 0..rounds(ROUNDS) {
        let load = Load::start(CLIENTS, &addresses, random::rng(seed, u64::from(round)));
        load.progress(PROGRESS).await;
        fill(disk);
        load.wait_for_failure().await;
        // A small write may still find room, after which the service counts as ready again until the next one fails.
        wait_until("the service reports that it cannot write", async || {
            let answer = private.get("/readyz").await;
            answer.status == 503 && answer.json()["checks"]["database"]["ok"] == false
        })
        .await;

        fs::remove_file(disk.join("filler")).unwrap();
        let freed = Instant::now();
        load.progress(PROGRESS).await;
        wait_until("the service is ready", async || private.get("/readyz").await.status == 200).await;
        let recovery = freed.elapsed();
        let unknown = load.unknown();
        let acknowledged = load.stop().await;
        figures.add_round(acknowledged.len(), unknown, recovery);
        answered.extend(acknowledged);

        let report = loop {
            let acknowledged = answered.iter().map(Answered::acknowledged).collect();
            let report = env.audit(acknowledged).await;
            if report.unpublished == 0 || !report.violations.is_empty() {
                break report;
            }
        };
        figures.add_audit(report.events - events, &report);
        events = report.events;
        report.assert_clean();
    }
}

/// Uses up the disk to its last page.
fn fill(disk: &Path) {
    let mut filler = File::create(disk.join("filler")).unwrap();
    for block in [1 << 16, 1 << 12, 1] {
        while filler.write_all(&vec![0; block]).is_ok() {}
    }
}

/// Reruns this test with a small disk, if this process may mount one.
fn on_a_small_disk() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("chaos: kind=sqlite_disk_full NOT RUN: only root can mount a small disk");
        return;
    }
    // While this value exists, no test kills the servers.
    let file = TestDatabase::sqlite();
    let directory = file.path().parent().unwrap();
    let mut program = Command::new("unshare");
    program.args(["--mount", "--", "sh", "-c", ON_DISK]).arg(directory);
    program.arg(env::current_exe().unwrap()).args(["chaos::sqlite_disk", "--nocapture"]).env(DISK, directory);
    let status = program.status().unwrap();
    if status.code() == Some(LACKING) {
        println!("chaos: kind=sqlite_disk_full NOT RUN: the line above says what it lacks");
    } else {
        assert!(status.success(), "{status}");
    }
}
