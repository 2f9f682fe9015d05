//! The disk of Postgres or of the broker is full. The test reruns itself on servers with small disks of their own.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Instant;

use sqlx::{Connection, PgConnection};

use super::fleet::{Fleet, Wiring};
use super::{Kind, play};
use crate::support::servers::{control, try_control};
use crate::support::wait::wait_until;

/// Names the size of the servers' disks, for `tests/with-services`.
const DISK: &str = "CMGATE_TEST_DISK";

/// Variables that name the servers; the child process must not inherit them.
const SERVERS: [&str; 4] =
    ["CMGATE_TEST_POSTGRES", "CMGATE_TEST_KAFKA", "CMGATE_TEST_KAFKA_PROXY", "CMGATE_TEST_SERVICES"];

/// Exit code of `tests/with-services` if something is missing on this machine.
const LACKING: i32 = 69;

#[derive(Clone, Copy, Debug)]
enum Disk {
    OfPostgres,
    OfKafka,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_disk_is_full() {
    if env::var_os(DISK).is_none() {
        return on_small_disks();
    }
    let kind = Kind {
        name: "disk_full",
        wiring: Wiring::Direct,
        fleets: None,
        variants: &[Disk::OfPostgres, Disk::OfKafka],
        rare: Disk::OfPostgres,
        rounds: 2,
    };
    play(kind, async |fleet, disk| {
        match disk {
            Disk::OfPostgres => fill_postgres(fleet).await,
            Disk::OfKafka => fill_kafka(fleet).await,
        }
        Instant::now()
    })
    .await;
}

/// Postgres refuses writes, or exits if its write-ahead log does not fit.
async fn fill_postgres(fleet: &mut Fleet) {
    control("postgres", "fill");
    fleet.load().wait_for_failure().await;
    fleet.any_moment().await;
    control("postgres", "free");
    wait_until("Postgres accepts connections", async || {
        try_control("postgres", "start").status.success()
            && PgConnection::connect(fleet.env.database.url()).await.is_ok()
    })
    .await;
}

/// A broker exits when its only disk is full. Writes continue without it.
async fn fill_kafka(fleet: &mut Fleet) {
    control("kafka", "fill");
    wait_until("the broker has exited", async || {
        fleet.progress().await;
        !try_control("kafka", "pid").status.success()
    })
    .await;
    control("kafka", "free");
    control("kafka", "start");
}

/// Reruns this test on servers with small disks, if the machine allows it.
fn on_small_disks() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("chaos: kind=disk_full NOT RUN: only root can give the servers small disks");
        return;
    }
    let mut program = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/with-services"));
    program.arg(env::current_exe().unwrap()).args(["chaos::full", "--nocapture"]).env(DISK, "1g");
    for server in SERVERS {
        program.env_remove(server);
    }
    let status = program.status().unwrap();
    if status.code() == Some(LACKING) {
        println!("chaos: kind=disk_full NOT RUN: the line above says what it lacks");
    } else {
        assert!(status.success(), "{status}");
    }
}
