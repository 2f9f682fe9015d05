//! A backup of the database is restored although the topic has advanced since: the relay halts and publishes nothing.

use std::time::Instant;

use super::figures::Figures;
use super::{FLEET_ROUNDS, rounds};
use crate::support::client::create_many;
use crate::support::env::{MANY, TestEnv};
use crate::support::kafka::{positions, read_committed};
use crate::support::random;
use crate::support::servers::CLOSED_PORT;

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_publishes_nothing_to_a_topic_that_is_ahead() {
    let seed = random::seed();
    let figures = Figures::new("backup_restored", seed);
    let rounds: Vec<u32> = (0..rounds(2)).collect();
    for some in rounds.chunks(FLEET_ROUNDS) {
        let env = TestEnv::postgres().await;
        let mut created = 0;
        for round in some {
            let mut rng = random::rng(seed, u64::from(*round));
            let written = MANY + rng.usize(..MANY);
            write(&env, written).await;
            let backup = env.backup().await;
            write(&env, MANY).await;
            restore(&env, &backup, rng.bool()).await;

            // The original database returns and continues.
            let mended = Instant::now();
            write(&env, 1).await;
            created += written + MANY + 1;
            figures.add_round(written + MANY + 1, 0, mended.elapsed());
            let report = env.audit_published().await;
            figures.add_audit(written + MANY + 1, &report);
            assert_eq!(report.records, created);
        }
    }
}

/// Has requests created and published by an instance that ends cleanly.
async fn write(env: &TestEnv, count: usize) {
    let instance = env.start();
    create_many(&mut instance.client(), count).await;
    instance.end().await;
}

/// Runs an instance on the backup. While it is halted it takes requests, and so its log may grow beyond the topic.
async fn restore(env: &TestEnv, backup: &TestEnv, outgrows: bool) {
    let published = positions(&read_committed(&env.topic).await);
    if outgrows {
        let mut instance = backup.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
        let log_ends = env.log_ends().await;
        while backup.log_ends().await.iter().any(|(shard, log_end)| *log_end <= log_ends[shard]) {
            create_many(&mut instance.client(), MANY).await;
        }
        instance.kill();
    }
    let instance = backup.start();
    for detail in instance.wait_until_all_are("halted").await {
        assert!(detail.contains("Restore"), "{detail}");
    }
    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    assert_eq!(positions(&read_committed(&env.topic).await), published, "nothing is published");
}
