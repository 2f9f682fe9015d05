//! The topic is deleted and recreated under load: the relay waits until an operator says where to begin, and then no event is
//! missing.

use std::time::Instant;

use super::figures::Figures;
use super::{FLEET_ROUNDS, rounds};
use crate::support::client::create_many;
use crate::support::env::{MANY, TestEnv};
use crate::support::kafka::{delete_topic, make_topic, positions, read_committed};
use crate::support::random;
use crate::support::wait::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_recreated_under_load_gets_everything_or_nothing() {
    let seed = random::seed();
    let figures = Figures::new("topic_recreated", seed);
    let rounds: Vec<u32> = (0..rounds(2)).collect();
    for some in rounds.chunks(FLEET_ROUNDS) {
        let env = TestEnv::postgres().await;
        let instance = env.start();
        // A relay that has no topic yet creates it.
        instance.wait_until_all_are("streaming").await;
        let mut created = 0;
        for round in some {
            let mut rng = random::rng(seed, u64::from(*round));
            let before = MANY + rng.usize(..MANY);
            create_many(&mut instance.client(), before).await;
            // Somewhere in the middle of what the relay has to publish.
            let (mut client, topic) = (instance.client(), env.topic.clone());
            let during = MANY + rng.usize(..MANY);
            let is_made_at_once = rng.bool();
            let load = tokio::spawn(async move { create_many(&mut client, during).await.len() });
            delete_topic(&topic).await;
            if is_made_at_once {
                make_topic(&topic, 8).await;
            }
            let mended = Instant::now();
            created += before + load.await.unwrap();
            instance.wait_until_all_are("halted").await;
            if is_made_at_once {
                assert!(positions(&read_committed(&topic).await).is_empty(), "nothing is published to the new topic");
            }
            let allowed = env.run(&[], &["relay", "allow-empty-topic", "--from-start"]);
            assert!(allowed.status.success(), "{allowed:?}");
            instance.wait_until_all_are("streaming").await;
            wait_until("everything is published", async || read_committed(&topic).await.len() >= created).await;
            let report = env.audit_published().await;
            figures.add_round(created, 0, mended.elapsed());
            figures.add_audit(created, &report);
            assert_eq!(report.records, created);
        }
        instance.end().await;
    }
}
