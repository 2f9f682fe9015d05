//! Who may do what, in which order a command is checked, and what a step leaves in the request.

use super::decide;
use crate::domain::fixtures::{
    AGENT, APPROVER, CARD, INITIATOR, ORIGINATOR, OTHER_CARD, SECOND_APPROVER, STRANGER, TARGET, action, actor,
    approval_by, at, command, comment, execution, needing, request, rows,
};
use crate::domain::{
    Action, Approval, CancelReason, Command, Comment, Conclusion, CredentialEffect, CredentialIds, DataItem, Event,
    Execution, FailReason, Medium, Policy, Principal, Refusal, Request, RequestType, State, Status, Trace, UserId,
    Version,
};

/// Who may do what under which policy: `open` names nobody, `named` names an approver, an initiator and an agent, `agent`
/// asks for an enrollment agent without naming any. `own`: refused, since it is the person's own request.
const RIGHTS: &str = "
    policy  person      approve  deny  start  bind  complete  fail  cancel  abandon

    open    originator  own      own   no     no    no        no    yes     yes
    open    target      own      own   yes    yes   yes       yes   yes     yes
    open    stranger    yes      yes   no     no    no        no    no      no

    named   originator  own      own   no     no    no        no    yes     yes
    named   target      own      own   no     no    no        no    yes     no
    named   approver    yes      yes   no     no    no        no    no      no
    named   initiator   no       no    no     no    no        no    yes     no
    named   agent       no       no    yes    yes   yes       yes   no      yes
    named   stranger    no       no    no     no    no        no    no      no

    agent   originator  own      own   yes    yes   yes       yes   yes     yes
    agent   target      own      own   yes    yes   yes       yes   yes     yes
    agent   stranger    yes      yes   yes    yes   yes       yes   no      yes
";

#[test]
fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let table = rows(RIGHTS);
    let actions = &table[0][2..];
    for row in &table[1..] {
        let (policy, person) = (policy(row[0]), person(row[1]));
        assert_eq!(row.len(), table[0].len(), "{} {} has a cell for every action", row[0], row[1]);
        for (name, expected) in actions.iter().zip(&row[2..]) {
            let status = match *name {
                "approve" | "deny" => Status::Pending,
                _ => Status::Approved,
            };
            let decided = decide(&command(person, action(name)), Some(&request(status, policy.clone())));
            let right = match decided {
                Ok(_) => "yes",
                Err(Refusal::OwnRequest { action }) if action == *name => "own",
                Err(Refusal::NotPermitted { action, .. }) if action.starts_with(*name) => "no",
                Err(refusal) => panic!("{name} refused for another reason: {refusal}"),
            };
            assert_eq!(right, *expected, "{} {} {name}", row[0], row[1]);
        }
    }
}

#[test]
fn a_command_for_another_version_is_refused() {
    let current = request(Status::Pending, needing(1));
    let decided = decide(&expecting(4, command(APPROVER, action("approve"))), Some(&current));
    let expected = Refusal::VersionMismatch { expected: Version::new(4), actual: Version::new(5) };
    assert_eq!(decided, Err(expected));
}

#[test]
fn a_command_for_the_present_version_is_carried_out() {
    let current = request(Status::Pending, needing(1));
    let event = decide(&expecting(5, command(APPROVER, action("approve"))), Some(&current)).unwrap();
    assert_eq!(event.request.version, Version::new(6));
}

#[test]
fn what_does_not_exist_is_missing_before_it_has_another_version() {
    let command = expecting(4, command(STRANGER, action("cancel")));
    assert_eq!(decide(&command, None), Err(Refusal::RequestNotFound(command.request)));
}

#[test]
fn the_version_is_checked_before_the_permission() {
    let current = request(Status::Pending, needing(1));
    let decided = decide(&expecting(4, command(STRANGER, action("start"))), Some(&current));
    assert!(matches!(decided, Err(Refusal::VersionMismatch { .. })), "{decided:?}");
}

#[test]
fn the_permission_is_checked_before_the_status() {
    let current = request(Status::Completed, needing(1));
    let decided = decide(&command(STRANGER, action("cancel")), Some(&current));
    assert!(matches!(decided, Err(Refusal::NotPermitted { .. })), "{decided:?}");
    let decided = decide(&command(TARGET, action("approve")), Some(&current));
    assert_eq!(decided, Err(Refusal::OwnRequest { action: "approve" }));
}

#[test]
fn nobody_approves_twice() {
    let current = Request { approvals: vec![approval_by(APPROVER)], ..request(Status::Pending, needing(2)) };
    assert_eq!(decide(&command(APPROVER, action("approve")), Some(&current)), Err(Refusal::AlreadyApproved));

    let event = decide(&command(SECOND_APPROVER, action("approve")), Some(&current)).unwrap();
    assert_eq!(event.request.status(), Status::Approved);
}

#[test]
fn an_approver_may_still_deny_after_approving() {
    let current = Request { approvals: vec![approval_by(APPROVER)], ..request(Status::Pending, needing(2)) };
    let event = decide(&command(APPROVER, action("deny")), Some(&current)).unwrap();
    assert_eq!(event.request.status(), Status::Denied);
}

#[test]
fn an_approval_is_kept_with_its_person_time_and_comment() {
    let approve = Action::Approve { comment: comment("fine"), data_items: Vec::new() };
    let event = decide(&command(APPROVER, approve), Some(&request(Status::Pending, needing(2)))).unwrap();
    let expected = Approval { actor: actor(APPROVER), at: at(1), comment: comment("fine") };
    assert_eq!(event.request.approvals, [expected]);
    assert_eq!((event.actor, event.comment), (actor(APPROVER), comment("fine")));
}

#[test]
fn an_approver_delivers_items_by_name_whatever_their_case() {
    let current = Request {
        data_items: vec![item("Reason", None), item("Room", Some("1"))],
        ..request(Status::Pending, needing(1))
    };
    let approve = Action::Approve {
        comment: Comment::default(),
        data_items: vec![item("Badge", Some("7")), item("reason", Some("VPN"))],
    };
    let event = decide(&command(APPROVER, approve), Some(&current)).unwrap();
    let expected = [item("Reason", Some("VPN")), item("Room", Some("1")), item("Badge", Some("7"))];
    assert_eq!(event.request.data_items, expected);
}

#[test]
fn an_approval_that_delivers_an_item_twice_does_not_count() {
    let approve = Action::Approve {
        comment: Comment::default(),
        data_items: vec![item("Badge", Some("7")), item("BADGE", Some("8"))],
    };
    let decided = decide(&command(APPROVER, approve), Some(&request(Status::Pending, needing(1))));
    assert_eq!(decided, Err(Refusal::invalid("data_items[1].name", "\"BADGE\" is given twice")));
}

#[test]
fn a_started_request_knows_who_executes_it() {
    let event = decide(&command(TARGET, action("start")), Some(&request(Status::Approved, needing(0)))).unwrap();
    let expected = Execution { actor: actor(TARGET), at: at(1) };
    assert_eq!(event.request.state, State::Executing { execution: expected });
}

#[test]
fn a_request_that_ends_keeps_its_execution_and_says_why_it_ended() {
    let conclusion = Conclusion { actor: actor(TARGET), at: at(1), comment: comment("so be it") };
    let execution = Some(execution());
    let said = || comment("so be it");
    let cases = [
        (
            Action::Complete { new: CredentialIds::NONE, comment: said() },
            State::Completed { execution: execution.clone(), conclusion: conclusion.clone() },
        ),
        (
            Action::Fail { comment: said() },
            State::Failed { execution: execution.clone(), reason: FailReason::Error, conclusion: conclusion.clone() },
        ),
        (
            Action::Abandon { comment: said() },
            State::Failed {
                execution: execution.clone(),
                reason: FailReason::Abandoned,
                conclusion: conclusion.clone(),
            },
        ),
        (
            Action::Cancel { comment: said() },
            State::Canceled { execution, reason: CancelReason::Withdrawn, conclusion },
        ),
    ];
    for (action, expected) in cases {
        let event = decide(&command(TARGET, action), Some(&request(Status::Executing, needing(0)))).unwrap();
        assert_eq!(event.request.state, expected);
        assert_eq!(event.comment, said());
    }
}

#[test]
fn a_request_that_was_never_started_ends_without_an_execution() {
    let event = decide(&command(TARGET, action("complete")), Some(&request(Status::Approved, needing(0)))).unwrap();
    assert_eq!(event.request.state.execution(), None);
    assert!(event.request.state.conclusion().is_some());
}

#[test]
fn the_trace_of_the_call_goes_with_the_event() {
    let trace = Trace {
        correlation: Some("order-17".parse().unwrap()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        tracestate: Some("vendor=1".to_owned()),
    };
    let command = Command { trace: trace.clone(), ..command(TARGET, action("start")) };
    let event = decide(&command, Some(&request(Status::Approved, needing(0)))).unwrap();
    assert_eq!(event.trace, trace);
}

#[test]
fn a_clock_that_is_behind_does_not_take_a_request_back_in_time() {
    let current = request(Status::Approved, needing(0));
    let command = Command { now: at(-3_600), ..command(TARGET, action("start")) };
    let event = decide(&command, Some(&current)).unwrap();
    assert_eq!((event.at, event.request.changed_at), (current.changed_at, current.changed_at));
    assert_eq!(event.request.state.execution().unwrap().at, current.changed_at);
}

#[test]
fn a_completed_request_leaves_what_its_type_makes_or_keeps() {
    for kind in RequestType::ALL {
        let is_kept = kind.effect() == CredentialEffect::Keeps;
        let kept = if is_kept { CARD } else { CredentialIds::NONE };
        let completed_with = |new| complete(kind, kept, new).map(|event| event.request.new);
        let name = kind.name();
        if is_kept {
            assert_eq!(completed_with(CredentialIds::NONE), Ok(CARD), "{name}: nothing named, kept");
            assert_eq!(completed_with(CARD), Ok(CARD), "{name}: the kept card named");
            assert_eq!(
                completed_with(CredentialIds { smartcard: None, ..CARD }),
                Ok(CARD),
                "{name}: half of the kept card named"
            );
            let problem = format!("must match the old credential: a request of type {name} keeps it");
            assert_eq!(
                completed_with(OTHER_CARD),
                Err(Refusal::invalid("new_credential", problem)),
                "{name}: another card named"
            );
        } else {
            assert_eq!(completed_with(CredentialIds::NONE), Ok(CredentialIds::NONE), "{name}: nothing named");
            assert_eq!(completed_with(OTHER_CARD), Ok(OTHER_CARD), "{name}: a card named");
        }
    }
}

#[test]
fn a_software_profile_is_completed_without_a_smart_card() {
    let current = Request { medium: Medium::Software, ..request(Status::Approved, needing(0)) };
    let complete =
        |new| decide(&command(TARGET, Action::Complete { new, comment: Comment::default() }), Some(&current));

    let profile = CredentialIds { smartcard: None, ..CARD };
    assert_eq!(complete(profile).unwrap().request.new, profile);
    let problem = "must be absent: the request is for a software profile";
    assert_eq!(complete(CARD), Err(Refusal::invalid("new_credential.smartcard", problem)));
}

fn complete(kind: RequestType, kept: CredentialIds, new: CredentialIds) -> Result<Event, Refusal> {
    let current = Request { kind, old: kept, new: kept, ..request(Status::Executing, needing(0)) };
    decide(&command(TARGET, Action::Complete { new, comment: Comment::default() }), Some(&current))
}

fn expecting(version: u32, command: Command) -> Command {
    Command { expected: Some(Version::new(version)), ..command }
}

fn item(name: &str, value: Option<&str>) -> DataItem {
    DataItem::parse("data_items", name, value.map(str::to_owned)).unwrap()
}

fn policy(name: &str) -> Policy {
    let only = |user| vec![Principal::User(user)];
    match name {
        "open" => needing(1),
        "named" => Policy {
            approvers: only(APPROVER),
            initiators: only(INITIATOR),
            agents: only(AGENT),
            enrollment_agent_required: true,
            ..needing(1)
        },
        "agent" => Policy { enrollment_agent_required: true, ..needing(1) },
        _ => panic!("there is no policy {name}"),
    }
}

fn person(name: &str) -> UserId {
    match name {
        "originator" => ORIGINATOR,
        "target" => TARGET,
        "approver" => APPROVER,
        "initiator" => INITIATOR,
        "agent" => AGENT,
        "stranger" => STRANGER,
        _ => panic!("there is nobody called {name}"),
    }
}
