//! What makes the relay halt, tested through the program over a real broker: it publishes nothing more and names cause and remedy
//! while writes continue; and conditions from which it recovers by itself.

mod away;
mod figures;
mod hanging;
mod mode;
mod strangers;
mod topics;

use std::collections::BTreeMap;

use crate::support::client::create_many;
use crate::support::env::{MANY, TestEnv};
use crate::support::kafka::{
    delete_topic, empty_topic, exists, make_topic, positions, publish_foreign, read_committed,
};
use crate::support::servers::CLOSED_PORT;
use crate::support::wait::wait_until;

/// States of a worker.
const HALTED: &str = "halted";
const STREAMING: &str = "streaming";

/// The positions on a topic without records.
const NOTHING: BTreeMap<u16, Vec<u64>> = BTreeMap::new();

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_can_have_a_new_topic_continue_after_the_checkpoint() {
    let env = TestEnv::postgres().await;
    let published = env.publish_some().await;
    delete_topic(&env.topic).await;

    let instance = env.start();
    for detail in instance.wait_until_all_are(HALTED).await {
        assert!(detail.contains("does not exist"), "{detail}");
        assert!(detail.contains("`cmgate relay allow-empty-topic --from-checkpoint`"), "{detail}");
        assert!(detail.contains("`cmgate relay allow-empty-topic --from-start`"), "{detail}");
    }
    assert_eq!(instance.private.get("/readyz").await.status, 200, "a halted relay does not affect readiness");
    let metrics = instance.private.get("/metrics").await.body;
    assert!(
        metrics.contains("cmgate_relay_halts_total{reason=\"topic_missing\"} 2\n"),
        "once for each worker\n{metrics}"
    );
    create_many(&mut instance.client(), MANY).await;
    assert!(!exists(&env.topic).await, "only an operator can have the topic created");

    let allowed = env.run(&[], &["relay", "allow-empty-topic", "--from-checkpoint"]);
    assert!(allowed.status.success(), "{allowed:?}");
    instance.wait_until_all_are(STREAMING).await;
    instance.end().await;
    assert_eq!(positions(&read_committed(&env.topic).await), between(&published, &env.log_ends().await));

    // The permission was for the topic that was lost then, not for later ones.
    delete_topic(&env.topic).await;
    env.start().wait_until_all_are(HALTED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_can_have_everything_published_again_to_a_new_topic() {
    let env = TestEnv::sqlite();
    env.publish_some().await;
    delete_topic(&env.topic).await;
    make_topic(&env.topic, 8).await;
    let instance = env.start();
    instance.wait_until_all_are(HALTED).await;
    instance.end().await;
    assert_eq!(positions(&read_committed(&env.topic).await), NOTHING, "nothing is published");

    let allowed = env.run(&[], &["relay", "allow-empty-topic", "--from-start"]);
    assert!(allowed.status.success(), "{allowed:?}");
    let instance = env.start();
    instance.wait_until_all_are(STREAMING).await;
    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    assert_eq!(env.audit_published().await.records, 2 * MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_emptied_by_retention_continues_at_an_exact_checkpoint() {
    let env = TestEnv::postgres().await;
    let published = env.publish_some().await;
    // Unpublished events, so that the end of the log does not show how far the topic was.
    let mut instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
    create_many(&mut instance.client(), MANY).await;
    instance.kill();
    empty_topic(&env.topic).await;

    let instance = env.start();
    instance.wait_until_all_are(STREAMING).await;
    instance.end().await;
    assert_eq!(positions(&read_committed(&env.topic).await), between(&published, &env.log_ends().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_emptied_by_retention_halts_without_an_exact_checkpoint() {
    let env = TestEnv::sqlite();
    let mut instance = env.start();
    create_many(&mut instance.client(), MANY).await;
    instance.wait_until_published(MANY).await;
    instance.kill();
    let mut instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
    create_many(&mut instance.client(), MANY).await;
    instance.kill();
    empty_topic(&env.topic).await;

    let instance = env.start();
    for detail in instance.wait_until_all_are(HALTED).await {
        assert!(detail.contains("retention has emptied the topic"), "{detail}");
        assert!(detail.contains("`cmgate relay allow-empty-topic --from-checkpoint`"), "{detail}");
    }
    create_many(&mut instance.client(), 1).await;
    instance.end().await;
    assert_eq!(positions(&read_committed(&env.topic).await), NOTHING, "nothing is published");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_another_number_of_partitions_is_not_written() {
    let env = TestEnv::sqlite();
    make_topic(&env.topic, 4).await;
    let instance = env.start();
    for detail in instance.wait_until_all_are(HALTED).await {
        let topic = &env.topic;
        let expected = format!("topic {topic} has 4 partitions, the event log has 8 shards. Run `kafka-topics.sh");
        assert!(detail.starts_with(&expected) && detail.contains("--partitions 8`"), "{detail}");
    }
    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    assert_eq!(positions(&read_committed(&env.topic).await), NOTHING, "nothing is published");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_older_than_the_topic_halts_its_worker_alone() {
    let env = TestEnv::postgres().await;
    let published = env.publish_some().await;
    let (shard, last) = published.iter().find(|(_, last)| **last > 0).map(|(shard, last)| (*shard, *last)).unwrap();
    env.forget_events(shard, last - 1).await;

    let instance = env.start();
    let (halted, other) = (usize::from(shard % 2), usize::from((shard + 1) % 2));
    wait_until("one worker has halted and the other one streams", async || {
        let workers = instance.workers().await;
        workers[halted].0 == HALTED && workers[other].0 == STREAMING
    })
    .await;
    let detail = instance.workers().await.remove(halted).1;
    let expected = format!("shard {shard}: the topic ends at position {last}, the log at {}", last - 1);
    assert!(detail.starts_with(&expected) && detail.contains("Restore a newer one"), "{detail}");

    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    let found = positions(&read_committed(&env.topic).await);
    for (shard, log_end) in env.log_ends().await {
        let is_halted = usize::from(shard % 2) == halted;
        let last = if is_halted { published[&shard] } else { log_end };
        let found = found.get(&shard).map(Vec::as_slice).unwrap_or_default();
        assert_eq!(found, (1..=last).collect::<Vec<u64>>(), "partition {shard}");
    }
}

/// Writes continue while the relay is halted. The log soon is as long as the topic again, but it has other events.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_older_than_the_topic_stays_halted_when_its_log_has_grown() {
    let env = TestEnv::postgres().await;
    let published = env.publish_some().await;
    for (shard, last) in &published {
        env.forget_events(*shard, last / 2).await;
    }
    // No relay reads the topic until the log is longer.
    let mut instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
    while env.log_ends().await.iter().any(|(shard, log_end)| *log_end <= published[shard]) {
        create_many(&mut instance.client(), MANY).await;
    }
    instance.kill();

    let instance = env.start();
    for detail in instance.wait_until_all_are(HALTED).await {
        assert!(detail.contains("Restore"), "{detail}");
    }
    instance.end().await;
    let expected = between(&BTreeMap::new(), &published);
    assert_eq!(positions(&read_committed(&env.topic).await), expected, "nothing is published");
}

/// Events after a gap must not be published: a consumer could not tell the gap from a loss.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_log_halts_its_worker_before_the_gap() {
    let env = TestEnv::postgres().await;
    let published = env.publish_some().await;
    let mut instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
    while env.log_ends().await.iter().all(|(shard, log_end)| *log_end < published[shard] + 3) {
        create_many(&mut instance.client(), MANY).await;
    }
    instance.kill();
    let log_ends = env.log_ends().await;
    let shard = *log_ends.iter().find(|(shard, log_end)| **log_end >= published[shard] + 3).unwrap().0;
    let missing = published[&shard] + 2;
    env.lose_event(shard, missing).await;

    let instance = env.start();
    let worker = usize::from(shard % 2);
    wait_until("the worker has halted", async || instance.workers().await[worker].0 == HALTED).await;
    let detail = instance.workers().await.remove(worker).1;
    let expected =
        format!("shard {shard}: position {missing} is missing from the log; the next one is {}", missing + 1);
    assert!(detail.starts_with(&expected), "{detail}");
    instance.end().await;
    let found = positions(&read_committed(&env.topic).await);
    // Without any event of the shard published before, the worker may halt before its first one.
    let found = found.get(&shard).map(Vec::as_slice).unwrap_or_default();
    assert!(found.iter().all(|position| *position < missing), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_record_halts_the_worker_of_its_partition() {
    let env = TestEnv::sqlite();
    let published = env.publish_some().await;
    publish_foreign(&env.topic, 3).await;

    let instance = env.start();
    wait_until("worker 1, which has partition 3, has halted, and worker 0 streams", async || {
        let workers = instance.workers().await;
        workers[1].0 == HALTED && workers[0].0 == STREAMING
    })
    .await;
    let detail = instance.workers().await.remove(1).1;
    assert!(detail.starts_with("partition 3 has a record at offset"), "{detail}");
    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    let found = read_committed(&env.topic).await;
    for (shard, log_end) in env.log_ends().await {
        let last = if shard % 2 == 1 { published[&shard] } else { log_end };
        let ours = positions(&found).remove(&shard).unwrap_or_default();
        assert_eq!(ours, (1..=last).collect::<Vec<u64>>(), "partition {shard}");
    }
}

/// The positions of each shard after the first argument, up to the second; a shard missing in the first starts at 1.
fn between(after: &BTreeMap<u16, u64>, last: &BTreeMap<u16, u64>) -> BTreeMap<u16, Vec<u64>> {
    let first = |shard| after.get(shard).copied().unwrap_or_default() + 1;
    let positions = last.iter().map(|(shard, last)| (*shard, (first(shard)..=*last).collect::<Vec<u64>>()));
    positions.filter(|(_, positions)| !positions.is_empty()).collect()
}
