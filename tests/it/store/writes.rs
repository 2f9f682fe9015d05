//! The effects of a batch.

use cmgate::domain::{
    Action, Command, Comment, Position, Priority, Refusal, RequestId, RequestType, Status, Trace, Version,
};
use cmgate::service::commit;
use uuid::Uuid;

use super::steps::{carry_out, commit_one, read, whole_log};
use crate::support::commands::{
    ORIGINATOR, TARGET, approve, approver, at, cancel, command, comment, complete, creation, creation_at, deny, fail,
    fresh_card, item, large_request, request, start, under_key,
};
use crate::support::database::TestDatabase;

pub(super) async fn a_created_request_is_read_back(database: &TestDatabase) {
    let store = database.open().await;
    let mut new = request(1);
    new.comment = comment("with 'quotes', ünïcödé and 🔑");
    new.data_items = vec![item("Room", Some("")), item("Reason", None)];
    new.priority = Priority(255);
    new.kind = RequestType::Unblock;
    new.old = fresh_card();
    new.new = new.old;

    let (created, _) = carry_out(&*store, creation(new.clone())).await;
    assert_eq!(*created, new);
    assert_eq!(read(&*store, new.id).await, new);
}

pub(super) async fn a_read_leaves_out_requests_that_do_not_exist(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(0))).await;
    let unknown = RequestId::new(Uuid::new_v4());
    assert_eq!(store.get(&[unknown, created.id]).await.unwrap().members, [(*created).clone()]);
    assert_eq!(store.get(&[unknown]).await.unwrap().members, []);
    assert_eq!(store.get(&[]).await.unwrap().members, []);
}

pub(super) async fn every_state_is_read_back_as_it_was_written(database: &TestDatabase) {
    let store = database.open().await;
    let lives = [
        (Status::Pending, 2, vec![(approver(1), approve())]),
        (Status::Approved, 1, vec![(approver(1), approve())]),
        (Status::Executing, 0, vec![(TARGET, start())]),
        (Status::Completed, 0, vec![(TARGET, start()), (TARGET, complete(fresh_card()))]),
        (Status::Denied, 2, vec![(approver(1), approve()), (approver(2), deny())]),
        (Status::Failed, 0, vec![(TARGET, fail())]),
        (Status::Canceled, 0, vec![(TARGET, start()), (ORIGINATOR, cancel())]),
    ];
    assert_eq!(lives.each_ref().map(|(status, ..)| *status), Status::ALL);
    for (status, approvals_needed, steps) in lives {
        let new = request(approvals_needed);
        let id = new.id;
        carry_out(&*store, creation(new)).await;
        let mut last = None;
        for (user, action) in steps {
            last = Some(carry_out(&*store, command(user, id, action)).await.0);
        }
        let last = last.unwrap();
        assert_eq!(last.status(), status);
        assert_eq!(read(&*store, id).await, *last);
    }
    whole_log(&*store).await;
}

pub(super) async fn every_command_that_took_effect_has_one_event(database: &TestDatabase) {
    let store = database.open().await;
    let new = request(1);
    let id = new.id;
    let traced = Command {
        trace: Trace {
            correlation: Some("order-17/step:1".parse().unwrap()),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            tracestate: Some("vendor=1".to_owned()),
        },
        ..command(TARGET, id, start())
    };
    let mut acknowledged = Vec::new();
    let steps =
        [creation(new), command(approver(1), id, approve()), traced, command(TARGET, id, complete(fresh_card()))];
    for step in steps {
        let (request, event) = carry_out(&*store, step).await;
        assert_eq!((event.request, event.version), (id, request.version));
        acknowledged.push(event);
        // A refused command in between leaves no event.
        assert!(commit_one(&*store, command(ORIGINATOR, id, deny())).await.is_err());
    }
    assert_eq!(whole_log(&*store).await, acknowledged);
}

pub(super) async fn positions_are_dense_from_one_in_every_shard(database: &TestDatabase) {
    let store = database.open().await;
    assert_eq!(store.log_ends().await.unwrap(), [Position::START; 4]);

    let mut events = Vec::new();
    for _ in 0..3 {
        let batch: Vec<Command> = (0..40).map(|_| creation(request(0))).collect();
        for (command, reply) in batch.iter().zip(commit(&*store, &batch).await.unwrap()) {
            let event = reply.unwrap().logged.unwrap();
            assert_eq!(event.request, command.request);
            events.push(event);
        }
    }
    events.sort_by_key(|event| (event.shard, event.position));
    assert_eq!(whole_log(&*store).await, events);
}

pub(super) async fn a_refused_member_leaves_its_neighbours_alone(database: &TestDatabase) {
    let store = database.open().await;
    let (pending, _) = carry_out(&*store, creation(request(1))).await;
    let (approved, _) = carry_out(&*store, creation(request(0))).await;
    let missing = RequestId::new(Uuid::new_v4());
    let new = request(0);
    let batch = [
        command(TARGET, pending.id, start()),
        command(TARGET, approved.id, start()),
        command(TARGET, missing, start()),
        creation(new.clone()),
    ];
    let replies = commit(&*store, &batch).await.unwrap();
    let [first, second, third, fourth] = replies.try_into().unwrap();

    let illegal = Refusal::IllegalTransition { action: "start", status: Status::Pending };
    assert_eq!(first.unwrap_err(), illegal);
    assert_eq!(second.unwrap().request.status(), Status::Executing);
    assert_eq!(third.unwrap_err(), Refusal::RequestNotFound(missing));
    assert_eq!(*fourth.unwrap().request, new);

    assert_eq!(read(&*store, pending.id).await, *pending);
    assert_eq!(read(&*store, approved.id).await.status(), Status::Executing);
    assert_eq!(whole_log(&*store).await.len(), 4);
}

pub(super) async fn a_batch_that_reads_too_much_is_carried_out_in_parts(database: &TestDatabase) {
    let store = database.open().await;
    let mut batch = Vec::new();
    for text in ['a', 'a', '\u{1}', 'a', 'a', 'a'] {
        let (created, _) = carry_out(&*store, creation(large_request(text))).await;
        batch.push(under_key(&format!("key-{}", created.id), 1, command(TARGET, created.id, cancel())));
    }
    // The second time, each command gets the stored reply of its key.
    for expected in [Version::new(2); 2] {
        let mut left = &batch[..];
        let mut parts = 0;
        while !left.is_empty() {
            let replies = commit(&*store, left).await.unwrap();
            assert!(!replies.is_empty() && replies.len() <= left.len(), "{} replies", replies.len());
            for (command, reply) in left.iter().zip(&replies) {
                let request = &reply.as_ref().unwrap().request;
                assert_eq!((request.id, request.version), (command.request, expected));
            }
            left = &left[replies.len()..];
            parts += 1;
        }
        assert!(parts > 1, "the batch was not split");
    }
    let mut positions = 0;
    for log_end in store.log_ends().await.unwrap() {
        positions += log_end.get();
    }
    assert_eq!(positions, 12, "each step was taken once");
}

pub(super) async fn a_batch_of_refused_commands_changes_nothing(database: &TestDatabase) {
    let store = database.open().await;
    let (pending, _) = carry_out(&*store, creation(request(1))).await;
    let before = whole_log(&*store).await;
    let missing = RequestId::new(Uuid::new_v4());
    let replies =
        commit(&*store, &[command(TARGET, pending.id, start()), command(TARGET, missing, start())]).await.unwrap();
    assert!(replies.iter().all(Result::is_err), "{replies:?}");
    assert_eq!(whole_log(&*store).await, before);
}

pub(super) async fn an_empty_batch_changes_nothing(database: &TestDatabase) {
    let store = database.open().await;
    assert!(commit(&*store, &[]).await.unwrap().is_empty());
    assert_eq!(whole_log(&*store).await, []);
}

pub(super) async fn a_command_for_another_version_is_refused(database: &TestDatabase) {
    let store = database.open().await;
    let (created, _) = carry_out(&*store, creation(request(2))).await;
    let expecting = |version, user, action: Action| Command {
        expected: Some(Version::new(version)),
        ..command(user, created.id, action)
    };
    carry_out(&*store, expecting(1, approver(1), approve())).await;
    let reply = commit_one(&*store, expecting(1, approver(2), approve())).await;
    let mismatch = Refusal::VersionMismatch { expected: Version::new(1), actual: Version::new(2) };
    assert_eq!(reply.unwrap_err(), mismatch);
    let (approved, _) = carry_out(&*store, expecting(2, approver(2), approve())).await;
    assert_eq!(approved.status(), Status::Approved);
    whole_log(&*store).await;
}

/// The largest accepted request can be ended in every way, with the longest comments.
pub(super) async fn a_request_is_taken_only_with_room_for_its_later_steps(database: &TestDatabase) {
    let store = database.open().await;
    let text = "x".repeat(15_000);
    let sized = |values: &[usize], approvals_needed| {
        let mut new = request(approvals_needed);
        let named = values.iter().enumerate();
        new.data_items = named.map(|(number, length)| item(&number.to_string(), Some(&text[..*length]))).collect();
        new
    };
    let full = [&[15_000; 59][..], &[13_810]].concat();
    let refusal = commit_one(&*store, creation(sized(&full, 0))).await.unwrap_err();
    let Refusal::TooLarge { field: "data_items", bytes, limit } = refusal else { panic!("{refusal}") };

    // Shortened by the number of bytes that the refusal reports.
    let mut largest = full;
    let mut left = bytes - limit;
    for length in &mut largest {
        let cut = left.min(14_000);
        *length -= cut;
        left -= cut;
    }
    let longest = || comment(&"\u{10ffff}".repeat(Comment::MAX_CHARS));
    let ends = [
        Action::Complete { new: fresh_card(), comment: longest() },
        Action::Fail { comment: longest() },
        Action::Cancel { comment: longest() },
        Action::Abandon { comment: longest() },
    ];
    for action in ends {
        let new = sized(&largest, 0);
        carry_out(&*store, creation(new.clone())).await;
        carry_out(&*store, command(TARGET, new.id, Action::Start { comment: longest() })).await;
        let (ended, _) = carry_out(&*store, command(TARGET, new.id, action)).await;
        assert!(ended.status().is_final());
        assert_eq!(read(&*store, new.id).await, *ended);
    }

    // Nor can an approver use up the reserved room.
    let new = sized(&largest[5..], 1);
    carry_out(&*store, creation(new.clone())).await;
    let items = |count: usize| (100..100 + count).map(|number| item(&number.to_string(), Some(&text))).collect();
    let approve = |count| Action::Approve { comment: longest(), data_items: items(count) };
    let refusal = commit_one(&*store, command(approver(1), new.id, approve(12))).await.unwrap_err();
    assert!(matches!(refusal, Refusal::TooLarge { field: "data_items", .. }), "{refusal}");
    carry_out(&*store, command(approver(1), new.id, approve(0))).await;
    carry_out(&*store, command(ORIGINATOR, new.id, Action::Cancel { comment: longest() })).await;
}

/// Events of days without their own partition are accepted and keep their order.
pub(super) async fn a_wrong_clock_does_not_stop_the_log(database: &TestDatabase) {
    const YEAR: i64 = 365 * 24 * 3_600;
    let store = database.open().await;
    store.maintain(at(0), at(0)).await.unwrap();
    for seconds in [0, YEAR, -YEAR, 20 * YEAR, 1] {
        let (created, event) = carry_out(&*store, creation_at(seconds)).await;
        assert_eq!((created.submitted_at, event.at), (at(seconds), at(seconds)));
    }
    assert_eq!(whole_log(&*store).await.len(), 5);
}
