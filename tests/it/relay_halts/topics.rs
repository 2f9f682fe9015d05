//! The topic is not the expected one: recreated, copied, on another cluster, or misconfigured.

use crate::relay_halts::{HALTED, NOTHING, STREAMING, between};
use crate::support::client::create_many;
use crate::support::env::{MANY, TestEnv};
use crate::support::instance::command_in;
use crate::support::kafka::{copy_records, delete_topic, make_topic, positions, publish_foreign, read_committed};
use crate::support::servers::{fresh_topic, kafka_with_password};
use crate::support::wait::wait_until;

/// The topic is deleted under a running relay and recreated under the same name.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_relay_does_not_continue_on_a_recreated_topic() {
    for from in ["--from-start", "--from-checkpoint"] {
        let env = TestEnv::postgres().await;
        let instance = env.start();
        create_many(&mut instance.client(), MANY).await;
        instance.wait_until_published(MANY).await;
        let published = env.log_ends().await;
        delete_topic(&env.topic).await;
        make_topic(&env.topic, 8).await;
        create_many(&mut instance.client(), MANY).await;
        for detail in instance.wait_until_all_are(HALTED).await {
            assert!(detail.contains("was deleted and created again") || detail.contains("does not exist"), "{detail}");
            assert!(detail.contains(&format!("`cmgate relay allow-empty-topic {from}`")), "{detail}");
        }
        assert_eq!(positions(&read_committed(&env.topic).await), NOTHING, "nothing is published");

        let allowed = env.run(&[], &["relay", "allow-empty-topic", from]);
        assert!(allowed.status.success(), "{allowed:?}");
        instance.wait_until_all_are(STREAMING).await;
        create_many(&mut instance.client(), 1).await;
        instance.end().await;
        if from == "--from-start" {
            assert_eq!(env.audit_published().await.records, 2 * MANY + 1);
        } else {
            // At most the events after the last checkpoint are published again.
            let found = positions(&read_committed(&env.topic).await);
            for (shard, log_end) in env.log_ends().await {
                let found = found.get(&shard).cloned().unwrap_or_default();
                let first = found.first().copied().unwrap_or(log_end + 1);
                assert!(first <= published[&shard] + 1, "shard {shard}: {found:?} after {}", published[&shard]);
                assert_eq!(found, (first..=log_end).collect::<Vec<u64>>(), "shard {shard}");
            }
        }
    }
}

/// A relay with nothing to publish also notices it.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_relay_notices_that_its_topic_is_gone() {
    let env = TestEnv::sqlite();
    let instance = env.start();
    create_many(&mut instance.client(), MANY).await;
    instance.wait_until_published(MANY).await;
    delete_topic(&env.topic).await;
    for detail in instance.wait_until_all_are(HALTED).await {
        assert!(detail.contains("does not exist"), "{detail}");
    }
    instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_records_does_not_count_as_empty() {
    let env = TestEnv::postgres().await;
    let published = env.publish_some().await;
    for from in ["--from-start", "--from-checkpoint"] {
        let refused = env.run(&[], &["relay", "allow-empty-topic", from]);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(64), "{text}");
        assert!(text.contains(&format!("topic {} is not empty", env.topic)), "{text}");
    }
    // The refused command leaves no permission for a later topic.
    delete_topic(&env.topic).await;
    make_topic(&env.topic, 8).await;
    let instance = env.start();
    instance.wait_until_all_are(HALTED).await;
    // A new topic with foreign records does not count as empty.
    publish_foreign(&env.topic, 3).await;
    for command in [&["allow-empty-topic", "--from-start"][..], &["adopt-topic"]] {
        let refused = env.run(&[], &[&["relay"], command].concat());
        assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    }
    instance.end().await;
    assert_eq!(positions(&read_committed(&env.topic).await), NOTHING, "nothing is published");
    assert_eq!(env.log_ends().await, published);
}

/// Most shards of this log have no events, so their partitions lack nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_one_record_does_not_count_as_empty() {
    let env = TestEnv::postgres().await;
    let instance = env.start();
    create_many(&mut instance.client(), 1).await;
    instance.wait_until_published(1).await;
    instance.end().await;
    for from in ["--from-start", "--from-checkpoint"] {
        let refused = env.run(&[], &["relay", "allow-empty-topic", from]);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(64), "{text}");
        assert!(text.contains(&format!("topic {} is not empty", env.topic)), "{text}");
    }
}

/// A misconfigured process halts and leaves the partition groups to others.
#[tokio::test(flavor = "multi_thread")]
async fn a_halted_instance_with_another_topic_does_not_block_others() {
    let env = TestEnv::postgres().await;
    env.publish_some().await;
    let other = fresh_topic();
    let wrong = env.start_with(&[("CMGATE__KAFKA__TOPIC", &other)]);
    for detail in wrong.wait_until_all_are(HALTED).await {
        let expected = format!("publishes to topic {}, but kafka.topic is {other}", env.topic);
        assert!(detail.contains(&expected), "{detail}");
        assert!(detail.contains(&format!("Set `kafka.topic` to {}", env.topic)), "{detail}");
    }
    let right = env.start();
    right.wait_until_all_are(STREAMING).await;
    create_many(&mut right.client(), MANY).await;
    right.end().await;
    wrong.end().await;
    assert_eq!(env.audit_published().await.records, 2 * MANY);
    assert!(env.run(&[("CMGATE__KAFKA__TOPIC", &other)], &["relay", "adopt-topic"]).status.code() == Some(64));
}

/// A complete move: the relay does not accept a copy as its topic until an operator adopts it.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_topic_is_adopted_by_an_operator() {
    let mut env = TestEnv::postgres().await;
    env.publish_some().await;
    let records = read_committed(&env.topic).await;
    env.topic = fresh_topic();
    make_topic(&env.topic, 8).await;
    let instance = env.start();
    instance.wait_until_all_are(HALTED).await;
    let empty = env.run(&[], &["relay", "adopt-topic"]);
    assert_eq!(empty.status.code(), Some(64), "{empty:?}");

    // The copy lacks the last record of a partition.
    let last = records.last().unwrap().clone();
    copy_records(&records[..records.len() - 1], &env.topic).await;
    let adopted = env.run(&[], &["relay", "adopt-topic"]);
    assert!(adopted.status.success(), "{adopted:?}");
    let worker = usize::from(last.partition % 2);
    wait_until("the worker of the partition that lacks a record halts, the other streams", async || {
        let workers = instance.workers().await;
        workers[worker].1.contains("lost records") && workers[1 - worker].0 == STREAMING
    })
    .await;
    let command = command_in(&instance.workers().await[worker].1, "cmgate relay republish");
    let wrong: Vec<String> =
        command.iter().map(|word| word.parse().map_or(word.clone(), |_: u64| "1".to_owned())).collect();
    if wrong != command {
        let words: Vec<&str> = wrong.iter().map(String::as_str).collect();
        assert_eq!(env.run(&[], &words).status.code(), Some(64), "{wrong:?} does not fit");
    }
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let allowed = env.run(&[], &words);
    assert!(allowed.status.success(), "{allowed:?}");
    instance.wait_until_all_are(STREAMING).await;
    assert_eq!(env.run(&[], &words).status.code(), Some(64), "nothing is missing any more");
    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    assert_eq!(env.audit_published().await.records, 2 * MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_halts_the_relay() {
    let env = TestEnv::postgres().await;
    env.publish_some().await;
    env.database.execute("UPDATE relay_topic SET cluster = 'another', topic_id = NULL").await;
    let instance = env.start();
    for detail in instance.wait_until_all_are(HALTED).await {
        assert!(detail.contains("publishes to cluster another"), "{detail}");
        assert!(detail.contains("`cmgate relay adopt-topic`"), "{detail}");
    }
    let adopted = env.run(&[], &["relay", "adopt-topic"]);
    assert!(adopted.status.success(), "{adopted:?}");
    instance.wait_until_all_are(STREAMING).await;
    create_many(&mut instance.client(), MANY).await;
    instance.end().await;
    assert_eq!(env.audit_published().await.records, 2 * MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_a_raised_partition_count_is_replaced_by_a_new_one() {
    let mut env = TestEnv::sqlite();
    env.publish_some().await;
    delete_topic(&env.topic).await;
    make_topic(&env.topic, 9).await;
    env.database.execute("UPDATE relay_topic SET topic_id = NULL").await;
    let instance = env.start();
    for detail in instance.wait_until_all_are(HALTED).await {
        assert!(detail.contains("has 9 partitions, the event log has 8 shards"), "{detail}");
        assert!(detail.contains("set `kafka.topic` to a new name"), "{detail}");
    }
    instance.end().await;
    env.topic = fresh_topic();
    let allowed = env.run(&[], &["relay", "allow-empty-topic", "--from-start"]);
    assert!(allowed.status.success(), "{allowed:?}");
    let instance = env.start();
    instance.wait_until_all_are(STREAMING).await;
    instance.end().await;
    assert_eq!(env.audit_published().await.records, MANY);
    assert_eq!(positions(&read_committed(&env.topic).await), between(&[].into(), &env.log_ends().await));
}

/// The topic id is read with the connection settings of every other call.
#[tokio::test(flavor = "multi_thread")]
async fn the_topic_id_is_read_from_a_broker_with_a_password() {
    let env = TestEnv::postgres().await;
    let (brokers, properties) = kafka_with_password();
    let settings: Vec<(&str, &str)> = [("CMGATE__KAFKA__BROKERS", &*brokers)].into_iter().chain(properties).collect();
    let instance = env.start_with(&settings);
    create_many(&mut instance.client(), MANY).await;
    instance.wait_until_published(MANY).await;
    assert!(!instance.log().contains("cannot read the topic id"), "{}", instance.log());
    delete_topic(&env.topic).await;
    make_topic(&env.topic, 8).await;
    for detail in instance.wait_until_all_are(HALTED).await {
        assert!(detail.contains("was deleted and created again") || detail.contains("does not exist"), "{detail}");
    }
    let wrong: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, if *value == "let-me-in" { "let-me-out" } else { value }))
        .collect();
    let refused = env.run(&wrong, &["relay", "allow-empty-topic", "--from-start"]);
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("refuses the user name and password") && !text.contains("let-me-out"), "{text}");
    let allowed = env.run(&settings, &["relay", "allow-empty-topic", "--from-start"]);
    assert!(allowed.status.success(), "{allowed:?}");
    instance.wait_until_all_are(STREAMING).await;
    instance.end().await;
    assert_eq!(env.audit_published().await.records, MANY);
}
