//! Idempotency keys: all calls with one key have one effect.

use std::collections::HashSet;
use std::sync::Arc;

use cmgate::domain::{Action, Command, Comment, CredentialIds, CredentialStatus, Refusal, RequestId, Status};
use cmgate::service::{Reply, commit};
use cmgate::store::Store;
use tokio::task::JoinSet;

use super::steps::{carry_out, commit_one, whole_log};
use crate::support::commands::{
    ORIGINATOR, TARGET, approve, approver, bind, cancel, command, complete, creation, request, start, under_key,
};
use crate::support::database::TestDatabase;

pub(super) async fn a_repeated_call_gets_the_first_reply_and_changes_nothing(database: &TestDatabase) {
    let store = database.open().await;
    // Every create generates a new id.
    let attempt = || under_key("once", 1, creation(request(0)));
    let (created, _) = carry_out(&*store, attempt()).await;

    let repeated = commit_one(&*store, attempt()).await.unwrap();
    assert_eq!((repeated.request, repeated.logged), (created, None));
    assert_eq!(whole_log(&*store).await.len(), 1);
}

/// A repeated call gets its first answer, so the templates now in force do not matter.
pub(super) async fn a_repeated_creation_is_answered_after_its_template_was_disabled(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, under_key("once", 1, creation(request(0)))).await;
    let disabled = |key, asked| {
        let mut new = request(0);
        Arc::make_mut(&mut new.policy).enabled = false;
        under_key(key, asked, creation(new))
    };
    let repeated = commit_one(&*store, disabled("once", 1)).await.unwrap();
    assert_eq!((repeated.request, repeated.logged), (created, None));
    let refusal = commit_one(&*store, disabled("twice", 1)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::WorkflowDisabled { .. }), "{refusal}");
}

pub(super) async fn the_first_reply_is_repeated_even_if_the_request_has_changed_since(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(2))).await;
    let first = under_key("first", 1, command(approver(1), created.id, approve()));
    let (pending, _) = carry_out(&*store, first.clone()).await;
    let (approved, _) = carry_out(&*store, command(approver(2), created.id, approve())).await;
    assert_eq!((pending.status(), approved.status()), (Status::Pending, Status::Approved));

    let repeated = commit_one(&*store, first).await.unwrap();
    assert_eq!((repeated.request, repeated.logged), (pending, None));
}

pub(super) async fn a_key_used_for_something_else_is_refused(database: &TestDatabase) {
    let store = database.open().await;
    let first = under_key("once", 1, creation(request(0)));
    carry_out(&*store, first.clone()).await;

    let other = commit_one(&*store, under_key("once", 2, creation(request(0)))).await;
    assert_eq!(other.unwrap_err(), Refusal::KeyReused(first.idempotent.unwrap().key));
    assert_eq!(whole_log(&*store).await.len(), 1);
}

pub(super) async fn keys_of_different_callers_are_independent(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(2))).await;
    for approver in [approver(1), approver(2)] {
        carry_out(&*store, under_key("same", 1, command(approver, created.id, approve()))).await;
    }
    assert_eq!(whole_log(&*store).await.len(), 3);
}

pub(super) async fn a_refused_command_does_not_use_up_its_key(database: &TestDatabase) {
    let store = database.open().await;
    let (pending, _) = carry_out(&*store, creation(request(1))).await;
    let started = under_key("start", 1, command(TARGET, pending.id, start()));
    assert!(commit_one(&*store, started.clone()).await.is_err());
    carry_out(&*store, command(approver(1), pending.id, approve())).await;
    let (executing, _) = carry_out(&*store, started).await;
    assert_eq!(executing.status(), Status::Executing);
}

pub(super) async fn a_repeated_call_leaves_its_neighbours_alone(database: &TestDatabase) {
    let store = database.open().await;
    let repeated = under_key("once", 1, creation(request(0)));
    let (created, _) = carry_out(&*store, repeated.clone()).await;

    let new = [request(0), request(0)];
    let batch = [creation(new[0].clone()), repeated, under_key("other", 1, creation(new[1].clone()))];
    let replies = commit(&*store, &batch).await.unwrap();
    let requests: Vec<RequestId> = replies.iter().map(|reply| reply.as_ref().unwrap().request.id).collect();
    let are_new: Vec<bool> = replies.iter().map(|reply| reply.as_ref().unwrap().logged.is_some()).collect();
    assert_eq!(requests, [new[0].id, created.id, new[1].id]);
    assert_eq!(are_new, [true, false, true]);
    assert_eq!(whole_log(&*store).await.len(), 3);
}

pub(super) async fn a_key_of_a_step_that_changed_nothing_is_kept(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(0))).await;
    let (canceled, _) = carry_out(&*store, command(ORIGINATOR, created.id, cancel())).await;
    let repeated = || under_key("again", 1, command(ORIGINATOR, created.id, cancel()));

    // Next to a member that changes something and must not lose its own key.
    let new = request(0);
    let batch = [repeated(), under_key("other", 1, creation(new.clone()))];
    let replies = commit(&*store, &batch).await.unwrap();
    let unchanged = replies[0].as_ref().unwrap();
    assert_eq!((&unchanged.request, &unchanged.logged), (&canceled, &None));
    assert!(replies[1].as_ref().unwrap().logged.is_some());

    for (key, id) in [("again", created.id), ("other", new.id)] {
        let reused = commit_one(&*store, under_key(key, 2, command(ORIGINATOR, id, cancel()))).await;
        assert!(matches!(reused, Err(Refusal::KeyReused(_))), "{key}: {reused:?}");
    }
    let heard = commit_one(&*store, repeated()).await.unwrap();
    assert_eq!((heard.request, heard.logged), (canceled, None));
    assert_eq!(whole_log(&*store).await.len(), 3);
}

/// The batch writes nothing but the key.
pub(super) async fn a_step_that_changed_nothing_is_answered_as_it_was(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(0))).await;
    let (bound, _) = carry_out(&*store, command(TARGET, created.id, bind("card"))).await;
    let repeated = || under_key("again", 1, command(TARGET, created.id, bind("card")));
    let unchanged = commit_one(&*store, repeated()).await.unwrap();
    assert_eq!((&unchanged.request, &unchanged.logged), (&bound, &None));

    // A new call with the same step would be refused now.
    carry_out(&*store, command(TARGET, created.id, complete(CredentialIds::NONE))).await;
    let heard = commit_one(&*store, repeated()).await.unwrap();
    assert_eq!((heard.request, heard.logged), (bound, None));
    let other = commit_one(&*store, under_key("again", 2, command(TARGET, created.id, cancel()))).await;
    assert!(matches!(other, Err(Refusal::KeyReused(_))), "{other:?}");
}

pub(super) async fn a_repeated_change_of_a_card_shows_the_card_as_it_was(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(0))).await;
    let (bound, _) = carry_out(&*store, command(TARGET, created.id, bind("card"))).await;
    let smartcard = bound.new.smartcard.unwrap();
    let change = |status| {
        command(TARGET, created.id, Action::ChangeSmartcard { smartcard, status, comment: Comment::default() })
    };
    // The second call changes nothing and is still answered.
    let active = ["changed", "unchanged"].map(|key| under_key(key, 1, change(CredentialStatus::Active)));
    for command in &active {
        let applied = commit_one(&*store, command.clone()).await.unwrap();
        assert_eq!(applied.smartcard.unwrap().status, CredentialStatus::Active);
    }
    let (_, suspended) = carry_out(&*store, change(CredentialStatus::Suspended)).await;
    assert_eq!(store.credentials(&[smartcard.uuid()]).await.unwrap()[0].status, CredentialStatus::Suspended);

    for command in active {
        let repeated = commit_one(&*store, command).await.unwrap();
        assert_eq!(repeated.smartcard.unwrap().status, CredentialStatus::Active);
        assert!(repeated.request.version < suspended.version);
    }
}

pub(super) async fn one_key_in_many_batches_at_once_creates_one_request(database: &TestDatabase) {
    let store = database.open().await;
    for round in 0..5 {
        let key = format!("round {round}").replace(' ', "-");
        // Each batch has an unrelated member, which a retry of the batch must not lose.
        let batches = (0..8).map(|_| vec![creation(request(0)), under_key(&key, 1, creation(request(0)))]).collect();
        let replies = commit_at_once(&store, batches).await;
        assert_one_effect(replies.iter().map(|replies| &replies[1]));
        assert!(replies.iter().all(|replies| replies[0].as_ref().unwrap().logged.is_some()));
        assert_eq!(whole_log(&*store).await.len(), (round + 1) * 9);
    }
}

pub(super) async fn one_key_in_many_batches_at_once_takes_one_step(database: &TestDatabase) {
    let store = database.open().await;
    for round in 0..5 {
        let (approved, _) = carry_out(&*store, creation(request(0))).await;
        let key = format!("round-{round}");
        let batches = (0..8).map(|_| vec![under_key(&key, 1, command(TARGET, approved.id, start()))]).collect();
        let replies = commit_at_once(&store, batches).await;
        assert_one_effect(replies.iter().map(|replies| &replies[0]));
        assert_eq!(whole_log(&*store).await.len(), (round + 1) * 2);
    }
}

async fn commit_at_once(store: &Arc<dyn Store>, batches: Vec<Vec<Command>>) -> Vec<Vec<Reply>> {
    let mut tasks = JoinSet::new();
    for batch in batches {
        let store = Arc::clone(store);
        tasks.spawn(async move { commit(&*store, &batch).await.unwrap() });
    }
    tasks.join_all().await
}

/// All replies contain the same request, and exactly one of the calls took effect.
fn assert_one_effect<'r>(replies: impl Iterator<Item = &'r Reply>) {
    let applied: Vec<_> = replies.map(|reply| reply.as_ref().unwrap()).collect();
    let requests: HashSet<_> =
        applied.iter().map(|applied| (applied.request.id, applied.request.version.get())).collect();
    assert_eq!(requests.len(), 1, "one request at one version: {requests:?}");
    assert_eq!(applied.iter().filter(|applied| applied.logged.is_some()).count(), 1, "one effect");
}
