//! Foreign producers on the topic: a record of another program, or another database with the same topic.

use crate::relay_halts::{HALTED, STREAMING};
use crate::support::client::create_many;
use crate::support::env::{MANY, TestEnv};
use crate::support::instance::command_in;
use crate::support::kafka::{positions, publish_foreign, read_committed};
use crate::support::wait::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_can_have_a_foreign_record_ignored() {
    let env = TestEnv::sqlite();
    env.publish_some().await;
    publish_foreign(&env.topic, 3).await;
    let instance = env.start();
    wait_until("worker 1, which has partition 3, has halted, and worker 0 streams", async || {
        let workers = instance.workers().await;
        workers[1].0 == HALTED && workers[0].0 == STREAMING
    })
    .await;
    let command = command_in(&instance.workers().await[1].1, "cmgate relay ignore-record");
    let refused = env.run(&[], &["relay", "ignore-record", "--shard", "3", "--offset", "0"]);
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    assert!(env.run(&[], &words).status.success());
    instance.wait_until_all_are(STREAMING).await;
    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    let found = positions(&read_committed(&env.topic).await);
    for (shard, log_end) in env.log_ends().await {
        assert_eq!(found[&shard], (1..=log_end).collect::<Vec<u64>>(), "shard {shard}");
    }

    // The permission does not cover the next foreign record.
    publish_foreign(&env.topic, 3).await;
    let instance = env.start();
    wait_until("worker 1 has halted", async || instance.workers().await[1].0 == HALTED).await;
    instance.end().await;
}

/// Two databases share no lock. The relay that must not publish keeps checking without fencing the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_halted_relay_does_not_fence_the_owner_of_the_topic() {
    let env = TestEnv::postgres().await;
    let owner = env.start();
    create_many(&mut owner.client(), MANY).await;
    owner.wait_until_published(MANY).await;
    let restarts = owner.private.get("/metrics").await.metric("cmgate_relay_restarts_total");

    let mut other = TestEnv::sqlite();
    other.topic.clone_from(&env.topic);
    let halted = other.start_with(&[("CMGATE__LOG__FILTER", "debug")]);
    halted.wait_until_all_are(HALTED).await;
    let looked = || halted.log().matches("relay worker is still halted").count();
    let before = looked();
    wait_until("both workers have checked again", async || {
        let workers = halted.workers().await;
        assert!(workers.iter().all(|(state, _)| state == HALTED), "{workers:?}");
        create_many(&mut owner.client(), 1).await;
        looked() >= before + 4
    })
    .await;
    let events: u64 = env.log_ends().await.values().sum();
    owner.wait_until_published(events.try_into().unwrap()).await;
    let since = owner.private.get("/metrics").await.metric("cmgate_relay_restarts_total") - restarts;
    assert!(since < 1.0, "the owner started over {since} times");
    halted.end().await;
    owner.end().await;
    env.audit_published().await;
}
