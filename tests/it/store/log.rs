//! Reads of the log, and the relay's checkpoints.

use cmgate::domain::{Position, Shard};
use cmgate::store::{Checkpoint, Publishing, TopicIdentity};
use uuid::Uuid;

use super::steps::{carry_out, whole_log};
use crate::support::commands::{at, creation, creation_at, item, request};
use crate::support::database::{TestDatabase, topology};

const SHARD: Shard = Shard::new(0);

pub(super) async fn the_log_is_read_in_pages(database: &TestDatabase) {
    let store = database.open_with(topology(1, 1)).await.unwrap();
    for _ in 0..7 {
        carry_out(&*store, creation(request(0))).await;
    }
    let whole = whole_log(&*store).await;
    let read = async |after, limit| store.read_log(SHARD, Position::new(after), limit).await.unwrap();
    assert_eq!(read(0, 3).await, whole[..3]);
    assert_eq!(read(3, 3).await, whole[3..6]);
    assert_eq!(read(6, 3).await, whole[6..]);
    assert_eq!(read(7, 3).await, []);
    assert_eq!(read(1_000, 3).await, []);
}

/// A read of large events returns fewer than requested; the next read continues there.
pub(super) async fn large_events_of_the_log_are_read_a_few_at_a_time(database: &TestDatabase) {
    let store = database.open_with(topology(1, 1)).await.unwrap();
    let text = "x".repeat(15_000);
    for _ in 0..8 {
        let mut new = request(0);
        new.data_items = (0..56).map(|number| item(&number.to_string(), Some(&text))).collect();
        carry_out(&*store, creation(new)).await;
    }
    let (mut position, mut readings) = (Position::START, 0);
    while let Some(last) = store.read_log(SHARD, position, 100).await.unwrap().last() {
        position = last.position;
        readings += 1;
    }
    assert_eq!(position, Position::new(8));
    assert!((2..=4).contains(&readings), "{readings}");
    // The limit holds even if more would fit.
    assert_eq!(store.read_log(SHARD, Position::START, 2).await.unwrap().len(), 2);
}

pub(super) async fn the_time_of_the_next_event_is_read(database: &TestDatabase) {
    let store = database.open_with(topology(1, 1)).await.unwrap();
    for seconds in [5, 3] {
        carry_out(&*store, creation_at(seconds)).await;
    }
    let logged_at = async |after| store.logged_at(SHARD, Position::new(after)).await.unwrap();
    assert_eq!(logged_at(0).await, Some(at(5)));
    assert_eq!(logged_at(1).await, Some(at(3)));
    assert_eq!(logged_at(2).await, None);
}

pub(super) async fn checkpoints_are_read_back_as_they_were_put(database: &TestDatabase) {
    let store = database.open().await;
    let untouched = [0, 1, 2, 3].map(|shard| checkpoint(shard, 0, Uuid::nil()));
    assert_eq!(store.checkpoints().await.unwrap(), untouched);

    let owner = Uuid::new_v4();
    let put = [
        checkpoint(0, 7, owner),
        Checkpoint { exact: true, ..checkpoint(1, 1, owner) },
        Checkpoint { may_start_topic: true, ignored_to: 17, ..checkpoint(2, 5_000_000_000, owner) },
        Checkpoint { exact: true, may_start_topic: true, ..checkpoint(3, 0, owner) },
    ];
    store.claim_checkpoints(&put.map(|checkpoint| checkpoint.shard), owner).await.unwrap();
    store.put_checkpoints(&put).await.unwrap();
    assert_eq!(database.open().await.checkpoints().await.unwrap(), put);
}

pub(super) async fn checkpoints_that_are_not_put_stay(database: &TestDatabase) {
    let store = database.open().await;
    let owner = Uuid::new_v4();
    store.claim_checkpoints(&[Shard::new(1), Shard::new(2)], owner).await.unwrap();
    let exact = Checkpoint { exact: true, ..checkpoint(2, 9, owner) };
    store.put_checkpoints(&[checkpoint(1, 4, owner), exact]).await.unwrap();
    store.put_checkpoints(&[]).await.unwrap();
    store.put_checkpoints(&[checkpoint(2, 8, owner)]).await.unwrap();
    let (first, last) = (checkpoint(0, 0, Uuid::nil()), checkpoint(3, 0, Uuid::nil()));
    let expected = [first, checkpoint(1, 4, owner), checkpoint(2, 8, owner), last];
    assert_eq!(store.checkpoints().await.unwrap(), expected);
}

pub(super) async fn a_fenced_owner_writes_no_checkpoint(database: &TestDatabase) {
    let store = database.open().await;
    let (overtaken, successor) = (Uuid::new_v4(), Uuid::new_v4());
    let shards = [Shard::new(0), Shard::new(2)];
    store.claim_checkpoints(&shards, overtaken).await.unwrap();
    store.put_checkpoints(&[checkpoint(0, 5, overtaken), checkpoint(2, 5, overtaken)]).await.unwrap();

    // The new owner of one shard keeps the stored checkpoint.
    store.claim_checkpoints(&shards[..1], successor).await.unwrap();
    store.put_checkpoints(&[checkpoint(0, 6, overtaken), checkpoint(2, 6, overtaken)]).await.unwrap();
    let found = store.checkpoints().await.unwrap();
    assert_eq!((found[0], found[2]), (checkpoint(0, 5, successor), checkpoint(2, 6, overtaken)));

    store.put_checkpoints(&[checkpoint(0, 7, successor)]).await.unwrap();
    assert_eq!(store.checkpoints().await.unwrap()[0], checkpoint(0, 7, successor));
}

/// The log has one topic. Only an operator replaces it, together with matching checkpoints.
pub(super) async fn the_log_keeps_its_topic(database: &TestDatabase) {
    let store = database.open().await;
    assert_eq!(store.topic().await.unwrap(), None);
    let without_id = TopicIdentity { topic: "a".to_owned(), cluster: Some("c".to_owned()), topic_id: None };
    assert_eq!(store.bind_topic(&without_id).await.unwrap(), without_id);
    let first = TopicIdentity { topic_id: Some(Uuid::new_v4()), ..without_id.clone() };
    let others = [
        TopicIdentity { topic: "b".to_owned(), topic_id: Some(Uuid::new_v4()), ..first.clone() },
        first.clone(),
        TopicIdentity { topic_id: Some(Uuid::new_v4()), cluster: Some("d".to_owned()), ..first.clone() },
        without_id.clone(),
    ];
    let bound = [&without_id, &first, &first, &first];
    for (topic, bound) in others.iter().zip(bound) {
        assert_eq!(store.bind_topic(topic).await.unwrap(), *bound, "{topic:?}");
    }

    let owner = Uuid::new_v4();
    let put = [checkpoint(1, 4, owner), checkpoint(2, 5, owner)];
    store.claim_checkpoints(&[Shard::new(1)], owner).await.unwrap();
    assert!(!store.rebind_topic(&others[0], &put).await.unwrap(), "shard 2 has another owner");
    assert_eq!(store.topic().await.unwrap(), Some(first));
    assert_eq!(store.checkpoints().await.unwrap()[1], checkpoint(1, 0, owner));

    store.claim_checkpoints(&[Shard::new(2)], owner).await.unwrap();
    assert!(store.rebind_topic(&others[0], &put).await.unwrap());
    assert_eq!(store.topic().await.unwrap().as_ref(), Some(&others[0]));
    assert_eq!(store.checkpoints().await.unwrap()[1..3], put);
}

/// A database publishes in one mode. Producer ids are those of one topic on one cluster.
pub(super) async fn the_log_keeps_its_mode_and_the_producers_of_its_topics(database: &TestDatabase) {
    let store = database.open().await;
    assert_eq!(store.publishing().await.unwrap(), None);
    for mode in [Publishing::Fenced, Publishing::Transactions, Publishing::Fenced] {
        assert_eq!(store.bind_publishing(mode).await.unwrap(), Publishing::Fenced);
        assert_eq!(store.publishing().await.unwrap(), Some(Publishing::Fenced));
    }
    let topic = |name: &str, cluster: Option<&str>| TopicIdentity {
        topic: name.to_owned(),
        cluster: cluster.map(str::to_owned),
        topic_id: None,
    };
    let a = topic("a", Some("c"));
    for (group, id) in [(0, 4), (1, 5), (0, i64::MAX)] {
        store.put_producer_id(group, &a, id).await.unwrap();
        assert_eq!(store.producer_id(group, &a).await.unwrap(), Some(id));
    }
    let of_another_group = store.producer_id(1, &a).await.unwrap();
    assert_eq!(of_another_group, Some(5));
    for (other, found) in
        [(topic("a", None), Some(i64::MAX)), (topic("a", Some("d")), None), (topic("b", Some("c")), None)]
    {
        assert_eq!(store.producer_id(0, &other).await.unwrap(), found, "{other:?}");
    }
    store.put_producer_id(0, &topic("b", None), 6).await.unwrap();
    assert_eq!(store.producer_id(0, &topic("b", Some("c"))).await.unwrap(), Some(6));
    assert_eq!(store.producer_id(0, &a).await.unwrap(), Some(i64::MAX));
}

fn checkpoint(shard: u16, position: u64, owner: Uuid) -> Checkpoint {
    let (shard, position) = (Shard::new(shard), Position::new(position));
    Checkpoint { shard, position, exact: false, may_start_topic: false, ignored_to: -1, owner }
}
