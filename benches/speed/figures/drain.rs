//! Publishing a backlog of events, against a plain idempotent producer of the same records.

use std::thread;
use std::time::{Duration, Instant};

use cmgate::domain::Position;
use cmgate::relay::kafka::{KafkaSettings, Record, describe_or_create_topic};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use tokio::task::spawn_blocking;

use super::creates::prepared;
use crate::core::{Core, open_store};
use crate::env::BenchEnv;
use crate::settings::Settings;
use crate::table::{Table, Turns};
use crate::{service, topic};

/// Tasks that create the events.
const TASKS: usize = 1_024;

/// Interval of checking whether the topic has all events.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let total = fill(&env, settings.events).await;
    let records = records(&env).await;
    assert_eq!(records.len() as u64, total);
    let mut turns = Turns::default();
    for round in 0..settings.rounds {
        // Each round has a new topic, and checkpoints at which nothing was published.
        let env = env.with_topic(format!("{}.{round}", env.topic));
        env.execute("UPDATE relay_checkpoint SET pos = 0, exact = false").await;
        env.execute("DELETE FROM relay_topic").await;
        let kafka = topic::settings(&env.topic);
        let service = service::cmgate(&env);
        let ours = spawn_blocking(move || time_to_publish(&kafka, total)).await.unwrap();
        drop(service);
        let kafka = topic::settings(&format!("{}.plain", env.topic));
        describe_or_create_topic(&kafka).await.unwrap();
        let yardstick = thread::scope(|scope| scope.spawn(|| time_to_produce(&kafka, &records)).join()).unwrap();
        turns.add(total as f64 / ours, total as f64 / yardstick);
    }
    env.drop_database().await;
    let figure = format!("drain of {total} waiting events");
    table.compare(&figure, "/s", &turns, "a plain idempotent producer", ">= 0.7");
}

/// Creates events without a relay; returns their number.
async fn fill(env: &BenchEnv, events: usize) -> u64 {
    let core = Core::open(env).await;
    let tasks = (0..TASKS).map(|_| {
        let core = core.clone();
        tokio::spawn(async move {
            for _ in 0..events.div_ceil(TASKS) {
                core.create().await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    open_store(env).await.log_ends().await.unwrap().iter().map(|log_end| Position::get(*log_end)).sum()
}

/// The records that the relay will publish.
async fn records(env: &BenchEnv) -> Vec<Record> {
    let store = open_store(env).await;
    let mut records = Vec::new();
    for shard in store.topology().shards.shards() {
        let mut after = Position::START;
        loop {
            let events = store.read_log(shard, after, 1_000).await.unwrap();
            let Some(last) = events.last() else { break };
            after = last.position;
            records.extend(events.iter().map(|event| Record::new(event, "/cmgate")));
        }
    }
    records
}

/// Seconds from now, when the started service listens, until the topic has all events.
fn time_to_publish(kafka: &KafkaSettings, total: u64) -> f64 {
    let begun = Instant::now();
    while topic::published(kafka) < total {
        thread::sleep(POLL_INTERVAL);
    }
    begun.elapsed().as_secs_f64()
}

/// Seconds that a producer without transactions needs.
fn time_to_produce(kafka: &KafkaSettings, records: &[Record]) -> f64 {
    let begun = Instant::now();
    let producer: BaseProducer<DefaultProducerContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &kafka.brokers)
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    for record in records {
        let mut message = BaseRecord::to(&kafka.topic)
            .partition(record.partition)
            .key(&record.key)
            .payload(&record.value)
            .headers(record.headers.clone());
        while let Err((error, refused)) = producer.send(message) {
            assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)), "{error}");
            producer.poll(Duration::from_millis(1));
            message = refused;
        }
    }
    producer.flush(Duration::from_mins(5)).unwrap();
    begun.elapsed().as_secs_f64()
}
