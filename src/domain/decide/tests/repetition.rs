//! Who repeats the step that ended a request changes nothing; everything that differs from a repetition is refused.

use crate::domain::fixtures::{
    APPROVER, CARD, INITIATOR, ORIGINATOR, OTHER_CARD, TARGET, action, actor, at, command, comment, known, needing,
    request,
};
use crate::domain::{
    Action, Command, Comment, Conclusion, CredentialIds, Event, Policy, Principal, Refusal, Request, State, Status,
    UserId, Version, decide,
};

/// A request that this person ended with this action, which said something.
fn ended(by: UserId, ending: Action) -> Request {
    let status = if matches!(ending, Action::Deny { .. }) { Status::Pending } else { Status::Executing };
    let policy = Policy { initiators: vec![Principal::User(INITIATOR)], ..needing(1) };
    let before = request(status, policy);
    let event = decide(&command(by, ending), Some(&before), &known()).unwrap().unwrap();
    Request::clone(&event.request)
}

fn again(by: UserId, repeated: Action, current: &Request) -> Result<Option<Event>, Refusal> {
    decide(&command(by, repeated), Some(current), &known())
}

/// Every action that ends a request, with something said, and who takes it.
fn endings() -> [(UserId, Action); 5] {
    let comment = || comment("so be it");
    [
        (APPROVER, Action::Deny { comment: comment() }),
        (TARGET, Action::Complete { new: CARD, comment: comment() }),
        (TARGET, Action::Fail { comment: comment() }),
        (TARGET, Action::Cancel { comment: comment() }),
        (TARGET, Action::Abandon { comment: comment() }),
    ]
}

#[test]
fn an_ending_is_repeated_with_what_it_said_or_without() {
    for (by, ending) in endings() {
        let current = ended(by, ending.clone());
        assert_eq!(again(by, ending.clone(), &current), Ok(None), "{ending:?}");
        assert_eq!(again(by, silent(&ending), &current), Ok(None), "{ending:?}");
    }
}

#[test]
fn another_ending_is_no_repetition() {
    for (by, ending) in endings() {
        let current = ended(by, ending.clone());
        for (other_by, other) in endings().into_iter().filter(|(_, other)| *other != ending) {
            let refused = again(other_by, other.clone(), &current);
            let expected = Refusal::IllegalTransition { action: other.name(), status: current.status() };
            assert_eq!(refused, Err(expected), "{other:?} after {ending:?}");
        }
    }
}

#[test]
fn another_comment_or_credential_is_no_repetition() {
    let illegal = |action: &Action, current: &Request| {
        Err(Refusal::IllegalTransition { action: action.name(), status: current.status() })
    };
    for (by, ending) in endings() {
        let current = ended(by, ending.clone());
        let differing = with_comment(&ending, comment("otherwise"));
        assert_eq!(again(by, differing.clone(), &current), illegal(&differing, &current), "{ending:?}");
    }
    let current = ended(TARGET, Action::Complete { new: CARD, comment: Comment::default() });
    for new in [OTHER_CARD, CredentialIds { smartcard: OTHER_CARD.smartcard, ..CARD }] {
        let differing = Action::Complete { new, comment: Comment::default() };
        assert_eq!(again(TARGET, differing.clone(), &current), illegal(&differing, &current), "{new:?}");
    }
}

/// All three may cancel, and only one has.
#[test]
fn what_another_person_ended_is_not_repeated() {
    let current = ended(TARGET, action("cancel"));
    for other in [ORIGINATOR, INITIATOR] {
        let expected = Refusal::IllegalTransition { action: "cancel", status: Status::Canceled };
        assert_eq!(again(other, action("cancel"), &current), Err(expected));
    }
}

#[test]
fn a_repetition_needs_the_permission_still() {
    let conclusion = Conclusion { actor: actor(INITIATOR), at: at(0), comment: Comment::default() };
    let state = State::Completed { execution: None, conclusion };
    let current = Request { state, ..request(Status::Completed, needing(1)) };
    let refused = again(INITIATOR, action("complete"), &current);
    assert!(matches!(refused, Err(Refusal::NotPermitted { .. })), "{refused:?}");
}

#[test]
fn a_repetition_may_expect_the_version_that_it_ended_and_no_other() {
    let current = ended(TARGET, action("cancel"));
    let expecting = |version| {
        let repeated = Command { expected: Some(version), ..command(TARGET, action("cancel")) };
        decide(&repeated, Some(&current), &known())
    };
    assert_eq!(expecting(current.version), Ok(None));
    assert_eq!(expecting(Version::new(current.version.get() - 1)), Ok(None));
    for other in [current.version.get() - 2, current.version.get() + 1] {
        let expected = Version::new(other);
        assert_eq!(expecting(expected), Err(Refusal::VersionMismatch { expected, actual: current.version }));
    }
}

fn silent(ending: &Action) -> Action {
    match with_comment(ending, Comment::default()) {
        Action::Complete { comment, .. } => Action::Complete { new: CredentialIds::NONE, comment },
        other => other,
    }
}

fn with_comment(ending: &Action, comment: Comment) -> Action {
    match ending {
        Action::Deny { .. } => Action::Deny { comment },
        Action::Complete { new, .. } => Action::Complete { new: *new, comment },
        Action::Fail { .. } => Action::Fail { comment },
        Action::Cancel { .. } => Action::Cancel { comment },
        Action::Abandon { .. } => Action::Abandon { comment },
        other => panic!("{other:?} ends nothing"),
    }
}
