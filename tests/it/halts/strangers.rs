//! Somebody else writes to the topic: a record of no relay, or another database with the same topic.

use crate::client::{create_many, lanes, wait_until};
use crate::halts::cluster::{publish_foreign, read};
use crate::halts::stage::{MANY, Stage, command_in, positions};
use crate::halts::{HALTED, STREAMING};
use crate::instance::run;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_somebody_else_stays_if_an_operator_says_so() {
    let stage = Stage::sqlite();
    stage.publish_some().await;
    publish_foreign(&stage.place.topic, 3).await;
    let mut instance = stage.start();
    wait_until("lane 1, which has partition 3, has halted, and lane 0 streams", async || {
        let lanes = lanes(&instance.private).await;
        lanes[1].0 == HALTED && lanes[0].0 == STREAMING
    })
    .await;
    let command = command_in(&lanes(&instance.private).await[1].1, "cmgate relay ignore-record");
    let refused = run(&stage.place, &[], &["relay", "ignore-record", "--shard", "3", "--offset", "0"]);
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    assert!(run(&stage.place, &[], &words).status.success());
    instance.wait_until_all_are(STREAMING).await;
    create_many(&mut instance.client, MANY).await;
    instance.end().await;
    let found = positions(&read(&stage.place.topic).await);
    for (shard, head) in stage.heads().await {
        assert_eq!(found[&shard], (1..=head).collect::<Vec<u64>>(), "shard {shard}");
    }

    // The next one is another matter.
    publish_foreign(&stage.place.topic, 3).await;
    let instance = stage.start();
    wait_until("lane 1 has halted", async || lanes(&instance.private).await[1].0 == HALTED).await;
    instance.end().await;
}

/// Two databases have no lock in common. The one that must not publish looks again and again, and fences nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_halted_relay_does_not_fence_the_owner_of_the_topic() {
    let stage = Stage::postgres().await;
    let mut owner = stage.start();
    create_many(&mut owner.client, MANY).await;
    owner.wait_until_published(MANY).await;
    let restarts = owner.private.get("/metrics").await.metric("cmgate_relay_restarts_total");

    let mut other = Stage::sqlite();
    other.place.topic.clone_from(&stage.place.topic);
    let halted = other.start_with(&[("CMGATE__LOG__FILTER", "debug")]);
    halted.wait_until_all_are(HALTED).await;
    let looked = || halted.log().matches("relay lane is still halted").count();
    let before = looked();
    wait_until("both lanes have looked again", async || {
        let lanes = lanes(&halted.private).await;
        assert!(lanes.iter().all(|(state, _)| state == HALTED), "{lanes:?}");
        create_many(&mut owner.client, 1).await;
        looked() >= before + 4
    })
    .await;
    let events: u64 = stage.heads().await.values().sum();
    owner.wait_until_published(events.try_into().unwrap()).await;
    let since = owner.private.get("/metrics").await.metric("cmgate_relay_restarts_total") - restarts;
    assert!(since < 1.0, "the owner started over {since} times");
    halted.end().await;
    owner.end().await;
    stage.audit_published().await;
}
