//! A disk is full, that of Postgres or that of the broker. It takes servers with small disks of their own, so that this test
//! runs itself once more on such servers.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Instant;

use sqlx::{Connection, PgConnection};

use super::stage::{Stage, Wiring};
use super::{Kind, play};
use crate::client::wait_until;
use crate::services::{control, try_control};

/// Names the size of the servers' disks, for `tests/with-services`.
const DISK: &str = "CMGATE_TEST_DISK";

/// What the servers are told by, which is not to be inherited.
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
        stages: None,
        variants: &[Disk::OfPostgres, Disk::OfKafka],
        rare: Disk::OfPostgres,
        rounds: 2,
    };
    play(kind, async |stage, disk| {
        match disk {
            Disk::OfPostgres => fill_postgres(stage).await,
            Disk::OfKafka => fill_kafka(stage).await,
        }
        Instant::now()
    })
    .await;
}

/// Postgres refuses writes, or ends if there is no room for its journal.
async fn fill_postgres(stage: &mut Stage) {
    control("postgres", "fill");
    stage.load().wait_for_failure().await;
    stage.any_moment().await;
    control("postgres", "free");
    wait_until("Postgres is there", async || {
        try_control("postgres", "start").status.success() && PgConnection::connect(&stage.place.database).await.is_ok()
    })
    .await;
}

/// A broker whose only disk is full ends. Writes go on without it.
async fn fill_kafka(stage: &mut Stage) {
    control("kafka", "fill");
    wait_until("the broker has given up", async || {
        stage.progress().await;
        !try_control("kafka", "pid").status.success()
    })
    .await;
    control("kafka", "free");
    control("kafka", "start");
}

/// Runs this test on servers whose disks can be filled, where that is possible.
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
