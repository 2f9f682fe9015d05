//! The fence against a real broker: zombies, the self-test, predecessors with transactions, and windows full of aborted records.

use std::time::Duration;

use cmgate_fence::{End, Failure, Lane, Previous, ProducerId, self_test};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{PATIENCE, acknowledged, broker, cluster, lane, position, read_all, record};

/// A transactional producer of librdkafka.
fn transactional(address: &str, id: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("transactional.id", id)
        .set("linger.ms", "0")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn send(producer: &BaseProducer, lane: &Lane, partition: i32, position: u64) {
    let (key, text) = (position.to_be_bytes(), position.to_string());
    let headers = OwnedHeaders::new().insert(Header { key: "x-pos", value: Some(&text) });
    producer
        .send(BaseRecord::to(&lane.topic).partition(partition).key(&key[..]).payload("old").headers(headers))
        .unwrap();
}

#[tokio::test]
async fn a_fenced_session_cannot_append_to_any_partition() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let lane = lane(address, "zombie", 4, &[]).await;
    let cluster = cluster(address);
    for partition in 0..4 {
        let (mut zombie, _) = cluster.claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
        let (mut owner, _) = cluster.claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
        zombie.append(partition, vec![record(99)]).await.unwrap();
        let ended = zombie.acknowledged().await.unwrap_err();
        let End::Failed(Failure::PartitionRefused { error, .. }) = ended.reason() else { panic!("{ended}") };
        assert_eq!(*error, kafka_protocol::ResponseError::InvalidProducerEpoch);
        owner.append(partition, vec![record(1)]).await.unwrap();
        acknowledged(&mut owner, 1).await;
    }
    assert!(read_all(address, &lane).values().all(|found| *found == [1]));
}

#[tokio::test]
async fn apache_kafka_passes_the_self_test() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let lane = lane(address, "self-test", 2, &[]).await;
    for _ in 0..2 {
        self_test(&cluster(address), &lane).await.unwrap();
    }
}

#[tokio::test]
async fn an_aborted_predecessor_leaves_nothing_in_the_tail() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let lane = lane(address, "aborted", 2, &[]).await;
    let old = transactional(address, &lane.transactional_id);
    for (positions, is_committed) in [(1..=3_u64, true), (4..=2_003, false), (4..=5, false)] {
        old.begin_transaction().unwrap();
        for position in positions {
            send(&old, &lane, 0, position);
            send(&old, &lane, 1, position);
        }
        if is_committed {
            old.commit_transaction(PATIENCE).unwrap();
        } else {
            old.flush(PATIENCE).unwrap();
            old.abort_transaction(PATIENCE).unwrap();
        }
    }
    // The claim aborts an open transaction of the same id.
    old.begin_transaction().unwrap();
    send(&old, &lane, 0, 4);
    old.flush(PATIENCE).unwrap();
    let (mut session, tails) =
        cluster(address).claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    for (partition, tail) in &tails {
        assert_eq!(tail.last.map(|(_, position)| position), Some(3), "partition {partition}: {tail:?}");
        assert_eq!(tail.foreign, None);
    }
    assert!(old.commit_transaction(PATIENCE).is_err(), "the predecessor is fenced");
    for partition in 0..2 {
        session.append(partition, vec![record(4)]).await.unwrap();
    }
    acknowledged(&mut session, 2).await;
    assert!(read_all(address, &lane).values().all(|found| *found == [1, 2, 3, 4]));
}

#[tokio::test]
async fn the_open_transaction_of_a_stranger_is_named() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let mut lane = lane(address, "open", 1, &[]).await;
    let stranger = transactional(address, &format!("{}-stranger", lane.topic));
    stranger.begin_transaction().unwrap();
    send(&stranger, &lane, 0, 1);
    stranger.flush(PATIENCE).unwrap();
    lane.fence_timeout = Duration::from_secs(1);
    let cluster = cluster(address);
    let failure = cluster.claim(&lane, Previous::None).await.unwrap().fence(position).await.err().unwrap();
    assert!(matches!(failure, Failure::OpenTransaction { partition: 0, from: 0 }), "{failure}");
    stranger.commit_transaction(PATIENCE).unwrap();
    let (_, tails) = cluster.claim(&lane, Previous::None).await.unwrap().fence(|_| None::<()>).await.unwrap();
    assert_eq!(tails[&0].foreign, Some(0));
}

#[tokio::test]
async fn a_record_of_a_stranger_ends_the_session() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let lane = lane(address, "stranger", 1, &[]).await;
    let cluster = cluster(address);
    let (mut session, _) = cluster.claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    session.append(0, vec![record(1)]).await.unwrap();
    acknowledged(&mut session, 1).await;
    let stranger: BaseProducer = ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    stranger.send(BaseRecord::<(), str>::to(&lane.topic).partition(0).payload("stranger")).unwrap();
    stranger.flush(PATIENCE).unwrap();
    session.append(0, vec![record(2)]).await.unwrap();
    let ended = session.acknowledged().await.unwrap_err();
    let expected = matches!(ended.reason(), End::Failed(Failure::UnexpectedOffset { expected: 2, actual: 3, .. }));
    assert!(expected, "{ended}");
    let (_, tails) = cluster.claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    assert_eq!((tails[&0].last, tails[&0].foreign), (Some((3, 2)), Some(2)));
}

#[tokio::test]
async fn a_producer_id_that_is_not_known_to_be_fenced_stops_the_claim() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let lane = lane(address, "changed", 2, &[]).await;
    let cluster = cluster(address);
    let failure = cluster.claim(&lane, Previous::Recorded(ProducerId::new(123_456))).await.err().unwrap();
    assert!(matches!(failure, Failure::ProducerIdChanged { partition: 0, .. }), "{failure}");
    assert!(cluster.claim(&lane, Previous::Abandoned).await.is_ok());
}

#[tokio::test]
async fn a_session_ends_when_its_fence_is_due_for_renewal() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let mut lane = lane(address, "renewal", 1, &[]).await;
    lane.renewal = Duration::from_millis(500);
    let (mut session, _) = cluster(address).claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    let ended = session.acknowledged().await.unwrap_err();
    assert!(matches!(ended.reason(), End::Renewal), "{ended}");
    assert!(session.append(0, vec![record(1)]).await.is_err());
}
