//! Many tasks on the same requests: whichever wins, the outcome is valid and the log has no gap.

use std::sync::Arc;

use cmgate::domain::{Command, Refusal, RequestId, Status, Version};
use cmgate::service::{Reply, commit};
use cmgate::store::Store;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::steps::{carry_out, read, whole_log};
use crate::support::commands::{ORIGINATOR, approve, approver, cancel, command, creation, request};
use crate::support::database::TestDatabase;

pub(super) async fn exactly_as_many_approvals_count_as_are_needed(database: &TestDatabase) {
    let store = database.open().await;
    for _ in 0..5 {
        let (created, _) = carry_out(&*store, creation(request(3))).await;
        let commands = (0..8).map(|number| vec![command(approver(number), created.id, approve())]).collect();
        let replies = race(&store, commands).await;

        let refused: Vec<Refusal> = replies.into_iter().flatten().filter_map(Result::err).collect();
        let too_late = Refusal::IllegalTransition { action: "approve", status: Status::Approved };
        assert_eq!(refused, vec![too_late; 5]);
        let approved = read(&*store, created.id).await;
        assert_eq!((approved.status(), approved.approvals.len()), (Status::Approved, 3));
        assert_eq!(approved.version, Version::new(4));
    }
    whole_log(&*store).await;
}

pub(super) async fn approving_and_canceling_at_once_ends_canceled(database: &TestDatabase) {
    let store = database.open().await;
    for _ in 0..20 {
        let (created, _) = carry_out(&*store, creation(request(1))).await;
        let id = created.id;
        let commands = vec![vec![command(approver(1), id, approve())], vec![command(ORIGINATOR, id, cancel())]];
        let took_effect = race(&store, commands).await.into_iter().flatten().flatten().count();

        // Both succeed if the approval comes first. At least one succeeds, and an approval never follows the cancellation.
        let ended = read(&*store, id).await;
        assert_eq!(ended.status(), Status::Canceled);
        assert_eq!(ended.version, Version::new(1 + u32::try_from(took_effect).unwrap()));
        assert_eq!(ended.approvals.len(), took_effect - 1);
    }
    whole_log(&*store).await;
}

/// Each batch contains all requests, in its own order.
pub(super) async fn concurrent_batches_over_the_same_requests_all_succeed(database: &TestDatabase) {
    const TASKS: u8 = 8;
    let store = database.open().await;
    let creations: Vec<Command> = (0..12).map(|_| creation(request(TASKS))).collect();
    let ids: Vec<RequestId> = creations.iter().map(|command| command.request).collect();
    commit(&*store, &creations).await.unwrap();

    let batches = (0..TASKS).map(|number| {
        let mut batch: Vec<Command> = ids.iter().map(|id| command(approver(number), *id, approve())).collect();
        batch.rotate_left(usize::from(number));
        if number % 2 == 1 {
            batch.reverse();
        }
        batch
    });
    let replies = race(&store, batches.collect()).await;
    assert!(replies.iter().flatten().all(Result::is_ok), "{replies:?}");
    for id in &ids {
        let approved = read(&*store, *id).await;
        assert_eq!((approved.status(), approved.approvals.len()), (Status::Approved, usize::from(TASKS)));
    }
    assert_eq!(whole_log(&*store).await.len(), ids.len() * (1 + usize::from(TASKS)));
}

pub(super) async fn concurrent_creates_leave_no_gap(database: &TestDatabase) {
    // Two handles stand for two processes.
    let stores = [database.open().await, database.open().await];
    let mut tasks = JoinSet::new();
    for task in 0..12 {
        let store = Arc::clone(&stores[task % 2]);
        tasks.spawn(async move {
            let mut created = 0;
            for size in 1..=8 {
                let batch: Vec<Command> = (0..size).map(|_| creation(request(0))).collect();
                created += commit(&*store, &batch).await.unwrap().into_iter().flatten().count();
            }
            created
        });
    }
    let created: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(created, 12 * 36);
    assert_eq!(whole_log(&*stores[0]).await.len(), created);
}

/// Commits all batches concurrently, and returns the replies in the order of the batches.
async fn race(store: &Arc<dyn Store>, batches: Vec<Vec<Command>>) -> Vec<Vec<Reply>> {
    let start = Arc::new(Barrier::new(batches.len()));
    let mut runners = Vec::new();
    for batch in batches {
        let (store, start) = (Arc::clone(store), Arc::clone(&start));
        runners.push(tokio::spawn(async move {
            start.wait().await;
            commit(&*store, &batch).await.unwrap()
        }));
    }
    let mut replies = Vec::new();
    for runner in runners {
        replies.push(runner.await.unwrap());
    }
    replies
}
