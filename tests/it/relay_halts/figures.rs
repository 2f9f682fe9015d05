//! Metrics of the relay: their values while Kafka is unreachable, and which instance shows them after a partition group has
//! moved.

use crate::relay_halts::STREAMING;
use crate::support::client::create_many;
use crate::support::env::{MANY, TestEnv};
use crate::support::instance::Instance;
use crate::support::servers::CLOSED_PORT;
use crate::support::wait::wait_until;

const POSITION: &str = "cmgate_relay_position";
const LAG_EVENTS: &str = "cmgate_relay_lag_events";
const LAG_SECONDS: &str = "cmgate_relay_lag_seconds";
const LOG_POSITION: &str = "cmgate_log_position";

/// Shards of a log that the service creates.
const SHARDS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn metrics_start_at_the_checkpoint_while_kafka_is_unreachable() {
    let env = TestEnv::postgres().await;
    env.publish_some().await;
    let mut instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
    wait_until("the metrics of both workers are present", async || {
        let metrics = instance.private.get("/metrics").await;
        let count = |name| metrics.samples(name).len();
        (count(POSITION), count(LAG_EVENTS), count(LAG_SECONDS)) == (SHARDS, SHARDS, 1)
    })
    .await;
    assert_eq!(total(&instance, POSITION).await, MANY.to_string());
    assert_eq!(samples(&instance, LAG_EVENTS).await, [0.0; SHARDS]);
    assert_eq!(samples(&instance, LAG_SECONDS).await, [0.0], "everything in the log was published before");

    create_many(&mut instance.client(), 1).await;
    wait_until("the lag is above zero", async || samples(&instance, LAG_SECONDS).await.iter().sum::<f64>() > 0.0).await;
    assert_eq!(total(&instance, LAG_EVENTS).await, "1");
    instance.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_new_owner_shows_a_partition_group_that_has_moved() {
    let env = TestEnv::postgres().await;
    let owner = env.start();
    create_many(&mut owner.client(), MANY).await;
    owner.wait_until_published(MANY).await;
    let other = env.start();
    wait_until("the other instance shows the end of the log", async || {
        samples(&other, LOG_POSITION).await.len() == SHARDS
    })
    .await;
    for name in [POSITION, LAG_EVENTS, LAG_SECONDS] {
        assert_eq!(samples(&other, name).await, [0.0; 0], "only the owner shows {name}");
    }

    owner.signal("STOP");
    wait_until("the other instance publishes all groups", async || {
        other.workers().await.iter().all(|(state, _)| state == STREAMING)
    })
    .await;
    owner.signal("CONT");
    wait_until("only the other instance shows the metrics of its groups", async || {
        let mut left = 0;
        for name in [POSITION, LAG_EVENTS, LAG_SECONDS] {
            left += samples(&owner, name).await.len();
        }
        left == 0 && samples(&other, POSITION).await.len() == SHARDS
    })
    .await;
    assert_eq!(samples(&owner, LOG_POSITION).await.len(), SHARDS, "every instance shows the end of the log");
    other.end().await;
    owner.end().await;
}

async fn samples(instance: &Instance, name: &str) -> Vec<f64> {
    instance.private.get("/metrics").await.samples(name)
}

/// The sum as it is written.
async fn total(instance: &Instance, name: &str) -> String {
    samples(instance, name).await.iter().sum::<f64>().to_string()
}
