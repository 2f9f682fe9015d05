//! A backup of the database is restored under a topic that has gone on since: the relay halts, says so, and publishes nothing.

use std::time::Instant;

use super::figures::Figures;
use super::{STAGE_ROUNDS, rounds};
use crate::client::create_many;
use crate::dice::Dice;
use crate::halts::cluster::read;
use crate::halts::stage::{MANY, Stage, closed_port, positions};

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_publishes_nothing_to_a_topic_that_is_ahead() {
    let seed = Dice::seed();
    let figures = Figures::new("backup_restored", seed);
    let rounds: Vec<u32> = (0..rounds(2)).collect();
    for some in rounds.chunks(STAGE_ROUNDS) {
        let stage = Stage::postgres().await;
        let mut created = 0;
        for round in some {
            let mut dice = Dice::new(seed).fork(u64::from(*round));
            let written = MANY + dice.below(MANY);
            write(&stage, written).await;
            let backup = stage.backup().await;
            write(&stage, MANY).await;
            restore(&stage, &backup, dice.coin()).await;

            // The right database comes back, and goes on.
            let mended = Instant::now();
            write(&stage, 1).await;
            created += written + MANY + 1;
            figures.add_round(written + MANY + 1, 0, mended.elapsed());
            let report = stage.audit_published().await;
            figures.add_audit(written + MANY + 1, &report);
            assert_eq!(report.records, created);
        }
    }
}

/// Has requests created and published by an instance that ends cleanly.
async fn write(stage: &Stage, count: usize) {
    let mut instance = stage.start();
    create_many(&mut instance.client, count).await;
    instance.end().await;
}

/// Runs an instance on the backup. While it is halted it takes requests, and so its log may grow beyond the topic.
async fn restore(stage: &Stage, backup: &Stage, outgrows: bool) {
    let published = positions(&read(&stage.place.topic).await);
    if outgrows {
        let mut instance = backup.start_with(&[("CMGATE__KAFKA__BROKERS", &closed_port())]);
        let heads = stage.heads().await;
        while backup.heads().await.iter().any(|(shard, head)| *head <= heads[shard]) {
            create_many(&mut instance.client, MANY).await;
        }
        instance.kill();
    }
    let mut instance = backup.start();
    for detail in instance.wait_until_all_are("halted").await {
        assert!(detail.contains("restore"), "{detail}");
    }
    create_many(&mut instance.client, MANY).await;
    instance.end().await;
    assert_eq!(positions(&read(&stage.place.topic).await), published, "nothing is published");
}
