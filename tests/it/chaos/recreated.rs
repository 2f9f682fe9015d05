//! The topic is deleted and created again under load: nothing is continued on the new one until an operator says where it begins, and
//! then nothing is missing.

use std::time::Instant;

use super::figures::Figures;
use super::{STAGE_ROUNDS, rounds};
use crate::client::{create_many, wait_until};
use crate::dice::Dice;
use crate::halts::cluster::{delete_topic, make_topic, read};
use crate::halts::stage::{MANY, Stage, positions};
use crate::instance::run;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_created_again_under_load_gets_everything_or_nothing() {
    let seed = Dice::seed();
    let figures = Figures::new("topic_recreated", seed);
    let rounds: Vec<u32> = (0..rounds(2)).collect();
    for some in rounds.chunks(STAGE_ROUNDS) {
        let stage = Stage::postgres().await;
        let mut instance = stage.start();
        // A relay that has no topic yet creates it.
        instance.wait_until_all_are("streaming").await;
        let mut created = 0;
        for round in some {
            let mut dice = Dice::new(seed).fork(u64::from(*round));
            let before = MANY + dice.below(MANY);
            create_many(&mut instance.client, before).await;
            // Somewhere in the middle of what the relay has to publish.
            let (mut client, topic) = (instance.client.clone(), stage.place.topic.clone());
            let during = MANY + dice.below(MANY);
            let is_made_at_once = dice.coin();
            let load = tokio::spawn(async move { create_many(&mut client, during).await.len() });
            delete_topic(&topic).await;
            if is_made_at_once {
                make_topic(&topic, 8).await;
            }
            let mended = Instant::now();
            created += before + load.await.unwrap();
            instance.wait_until_all_are("halted").await;
            if is_made_at_once {
                assert!(positions(&read(&topic).await).is_empty(), "nothing is continued");
            }
            let allowed = run(&stage.place, &[], &["relay", "allow-empty-topic", "--from-start"]);
            assert!(allowed.status.success(), "{allowed:?}");
            instance.wait_until_all_are("streaming").await;
            wait_until("everything is published", async || read(&topic).await.len() >= created).await;
            let report = stage.audit_published().await;
            figures.add_round(created, 0, mended.elapsed());
            figures.add_audit(created, &report);
            assert_eq!(report.records, created);
        }
        instance.end().await;
    }
}
