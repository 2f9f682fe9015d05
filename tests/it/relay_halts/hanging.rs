//! A hanging transaction: the worker halts, and its messages guide an operator to a sound topic.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kafka_protocol::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use kafka_protocol::messages::{RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::task::spawn_blocking;

use crate::relay_halts::{HALTED, STREAMING};
use crate::support::client::create_many;
use crate::support::env::{MANY, TestEnv};
use crate::support::instance::{Instance, command_in};
use crate::support::servers::{CLOSED_PORT, kafka};
use crate::support::wait::{PATIENCE, wait_until};

const PARTITION: i32 = 3;
/// The worker of the partition.
const WORKER: usize = 1;

/// Simulates a transaction that the cluster reported as committed but never ended in one partition: the worker's checkpoint is
/// ahead of what consumers can read, and aborting the transaction loses its records.
#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_transaction_is_ended_and_what_it_held_is_published_again() {
    let env = TestEnv::postgres().await;
    let published = env.publish_some().await[&3];
    let mut instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", CLOSED_PORT)]);
    while env.log_ends().await[&3] == published {
        create_many(&mut instance.client(), MANY).await;
    }
    instance.kill();
    let hanging = begin_transaction(&env.topic).await;
    env.database
        .execute("UPDATE relay_checkpoint SET pos = (SELECT next - 1 FROM event_head WHERE shard = 3) WHERE shard = 3")
        .await;

    let instance = env.start_with(&[("CMGATE__KAFKA__TRANSACTION_TIMEOUT", "1s"), ("CMGATE__LOG__FILTER", "debug")]);
    let detail = wait_until_halted(&instance, "is open on partition 3").await;
    stay_halted(&instance).await;
    let command = command_in(&detail, "kafka-transactions.sh");
    let option = |name: &str| command[command.iter().position(|word| word == name).unwrap() + 1].clone();
    assert_eq!((option("--bootstrap-server"), option("--topic")), (kafka(), env.topic.clone()));
    assert_eq!(option("--partition"), PARTITION.to_string());
    let start = option("--start-offset").parse().unwrap();
    let topic = env.topic.clone();
    spawn_blocking(move || abort_transaction(&topic, start)).await.unwrap();

    let detail = wait_until_halted(&instance, "lost records").await;
    let command = command_in(&detail, "cmgate relay republish");
    assert_eq!(command[2..], ["--shard", "3", "--after", &published.to_string()]);
    let too_far = (published + 1).to_string();
    let refused = env.run(&[], &["relay", "republish", "--shard", "3", "--after", &too_far]);
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let allowed = env.run(&[], &words);
    assert!(allowed.status.success(), "{allowed:?}");
    instance.wait_until_all_are(STREAMING).await;
    instance.end().await;
    env.audit_published().await;
    drop(hanging);
}

/// Waits until the worker has halted for a reason.
async fn wait_until_halted(instance: &Instance, reason: &str) -> String {
    wait_until("the worker has halted", async || {
        let worker = instance.workers().await.remove(WORKER);
        worker.0 == HALTED && worker.1.contains(reason)
    })
    .await;
    instance.workers().await.remove(WORKER).1
}

/// Checks that readiness and metrics show the worker as halted while it checks again several times without fencing anyone.
async fn stay_halted(instance: &Instance) {
    let looked = || instance.log().matches("relay worker is still halted").count();
    let before = looked();
    wait_until("the worker has checked again", async || {
        assert_eq!(instance.workers().await[WORKER].0, HALTED);
        let metrics = instance.private.get("/metrics").await;
        assert!(metrics.body.contains("cmgate_relay_state{group=\"1\"} 3"), "{}", metrics.body);
        looked() >= before + 2
    })
    .await;
}

/// Begins a transaction on the partition, whose producer then stays silent.
async fn begin_transaction(topic: &str) -> BaseProducer {
    let topic = topic.to_owned();
    let begin = spawn_blocking(move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka())
            .set("transactional.id", format!("{topic}-hanging"))
            .set("transaction.timeout.ms", "60000")
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        let record = BaseRecord::<str, str>::to(&topic).partition(PARTITION).key("lost").payload("lost");
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
        producer
    });
    begin.await.unwrap()
}

/// Does what `kafka-transactions.sh abort` does: finds the producer of the transaction and writes an abort marker for it.
fn abort_transaction(topic: &str, start: i64) {
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let of_topic = TopicRequest::default().with_name(name.clone()).with_partition_indexes(vec![PARTITION]);
    let found = ask(&DescribeProducersRequest::default().with_topics(vec![of_topic]), 0);
    let producers = &found.topics[0].partitions[0].active_producers;
    let open = producers.iter().find(|producer| producer.current_txn_start_offset == start);
    let open = open.unwrap_or_else(|| panic!("no transaction begins at offset {start}: {producers:?}"));
    let topics = WritableTxnMarkerTopic::default().with_name(name).with_partition_indexes(vec![PARTITION]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(open.producer_id)
        .with_producer_epoch(open.producer_epoch.try_into().unwrap())
        .with_coordinator_epoch(open.coordinator_epoch.max(0))
        .with_transaction_result(false)
        .with_topics(vec![topics]);
    let written = ask(&WriteTxnMarkersRequest::default().with_markers(vec![marker]), 1);
    assert_eq!(written.markers[0].topics[0].partitions[0].error_code, 0, "{written:?}");
}

fn ask<R: Request>(request: &R, version: i16) -> R::Response {
    let mut message = Vec::new();
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    header.encode(&mut message, R::header_version(version)).unwrap();
    request.encode(&mut message, version).unwrap();
    let mut stream = TcpStream::connect(kafka()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(&u32::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&message).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    stream.read_exact(&mut answer).unwrap();
    let mut answer = bytes::Bytes::from(answer);
    ResponseHeader::decode(&mut answer, R::Response::header_version(version)).unwrap();
    R::Response::decode(&mut answer, version).unwrap()
}
