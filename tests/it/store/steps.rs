//! Steps shared by the store tests, and the check that the whole log is sound.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cmgate::domain::{Command, Position, Request, RequestId, Version};
use cmgate::service::{Applied, Reply, commit};
use cmgate::store::{LoggedEvent, Store};

/// Commits a batch of one command.
pub(super) async fn commit_one(store: &dyn Store, command: Command) -> Reply {
    let mut replies = commit(store, &[command]).await.unwrap();
    assert_eq!(replies.len(), 1, "one reply for one command");
    replies.remove(0)
}

/// Commits a command that must take effect now, and returns the request after it with its event.
pub(super) async fn carry_out(store: &dyn Store, command: Command) -> (Arc<Request>, LoggedEvent) {
    let Applied { request, logged, .. } = commit_one(store, command).await.unwrap();
    (request, logged.expect("the command takes effect now"))
}

/// The current state of one request.
pub(super) async fn read(store: &dyn Store, id: RequestId) -> Request {
    let mut found = store.get(&[id]).await.unwrap().members;
    assert_eq!(found.len(), 1, "request {id} is there once");
    found.remove(0)
}

/// The log, shard by shard, after checking that it is complete: positions are dense from 1, the log ends agree, every event is in
/// the shard of its request, and every request has one event for each of its versions, in order.
pub(crate) async fn whole_log(store: &dyn Store) -> Vec<LoggedEvent> {
    let shards = store.topology().shards;
    let log_ends = store.log_ends().await.unwrap();
    assert_eq!(log_ends.len(), usize::from(shards.get()), "one log end per shard");

    let mut log = Vec::new();
    for (shard, log_end) in shards.shards().zip(log_ends) {
        let events = store.read_log(shard, Position::START, 100_000).await.unwrap();
        for (position, event) in (1..).zip(&events) {
            assert_eq!((event.shard, event.position), (shard, Position::new(position)), "positions are dense");
            assert_eq!(shards.shard_of(event.request), shard, "an event is in the shard of its request");
        }
        assert_eq!(
            u64::try_from(events.len()).unwrap(),
            log_end.get(),
            "the log end of shard {shard} is the last position"
        );
        log.extend(events);
    }

    let mut versions: HashMap<RequestId, Version> = HashMap::new();
    for event in &log {
        let expected = versions.get(&event.request).map_or(Version::FIRST, |version| version.next());
        assert_eq!(event.version, expected, "the versions of {} follow each other", event.request);
        versions.insert(event.request, event.version);
    }
    let ids: Vec<RequestId> = versions.keys().copied().collect();
    let mut left: HashSet<RequestId> = ids.into_iter().collect();
    while !left.is_empty() {
        let some: Vec<RequestId> = left.iter().copied().take(100).collect();
        let requests = store.get(&some).await.unwrap().members;
        assert!(!requests.is_empty(), "every request in the log is stored");
        for request in requests {
            assert_eq!(versions[&request.id], request.version, "{} has one event for each version", request.id);
            assert!(left.remove(&request.id), "{} is read once", request.id);
        }
    }
    log
}
