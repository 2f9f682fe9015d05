//! The life cycle as a table, its rules one by one, and what holds in every life however random.

mod properties;
mod repetition;
mod rules;

use crate::domain::fixtures::{
    APPROVER, HELD, ORIGINATOR, REQUEST, TARGET, action, at, command, creation, known, needing, request, rows,
};
use crate::domain::{Action, Command, CredentialIds, Event, Refusal, Request, Status, UserId, Version};

/// Decides a command that changes something, where little is known of cards.
fn decide(command: &Command, current: Option<&Request>) -> Result<Event, Refusal> {
    super::decide(command, current, &known()).map(|event| event.expect("the command changes something"))
}

/// What becomes of a request that stands at the head of the column, or does not exist, when somebody who may do it takes
/// the action of the row. `/n`: the policy needs n approvals, none of which has been given. `-`: the action is refused,
/// since the status does not allow it. `same`: nothing changes, since the same person ended the request with this action.
const LIFE_CYCLE: &str = "
    action     event              absent    pending   approved   executing  completed  denied  failed  canceled

    create/0   created            approved  exists    exists     exists     exists     exists  exists  exists
    create/1   created            pending   exists    exists     exists     exists     exists  exists  exists
    approve/1  approved           missing   approved  -          -          -          -       -       -
    approve/2  approval_recorded  missing   pending   -          -          -          -       -       -
    deny/2     denied             missing   denied    -          -          -          -       -       -
    start/0    started            missing   -         executing  -          -          -       -       -
    bind/0     smartcard_bound    missing   -         approved   executing  -          -       -       -
    change/0   smartcard_changed  missing   -         approved   executing  -          -       -       -
    complete/0 completed          missing   -         completed  completed  same       -       -       -
    fail/0     failed             missing   -         failed     failed     -          -       same    -
    cancel/1   canceled           missing   canceled  canceled   canceled   -          -       -       same
    abandon/0  failed             missing   -         failed     failed     -          -       -       -
";

#[test]
fn every_action_does_in_every_status_what_the_table_says() {
    let table = rows(LIFE_CYCLE);
    let columns = &table[0][3..];
    let names = Status::ALL.map(Status::name);
    assert_eq!(columns, names, "the table has a column for every status");

    for row in &table[1..] {
        let (name, needed) = row[0].split_once('/').unwrap();
        let policy = needing(needed.parse().unwrap());
        let command = command(whoever_may(name), action_under(name, needed));
        assert_eq!(row.len(), 3 + Status::ALL.len(), "{name} has a cell for every status");

        let absent = decide(&command, None);
        assert_eq!(outcome(&absent), row[2], "{name}, absent");
        if let Ok(event) = &absent {
            assert_eq!(event.event_type.name(), format!("cmgate.request.{}.v1", row[1]));
            assert_eq!((event.previous, event.request.version), (None, Version::FIRST));
        }
        for (status, expected) in Status::ALL.into_iter().zip(&row[3..]) {
            let old = CredentialIds { profile: None, smartcard: (name == "change").then_some(HELD) };
            let current = Request { old, ..request(status, policy.clone()) };
            let decided = super::decide(&command, Some(&current), &known());
            let Some(decided) = decided.transpose() else {
                assert_eq!("same", *expected, "{name}, {}", status.name());
                continue;
            };
            assert_eq!(outcome(&decided), *expected, "{name}, {}", status.name());
            match decided {
                Ok(event) => {
                    assert_eq!(event.event_type.name(), format!("cmgate.request.{}.v1", row[1]));
                    assert_eq!(event.previous, Some(status));
                    assert_eq!(event.request.version, current.version.next());
                    assert_eq!((event.at, event.request.changed_at), (at(1), at(1)));
                }
                Err(Refusal::IllegalTransition { action: refused, status: stands }) => {
                    assert_eq!((refused, stands), (command.action.name(), status));
                }
                Err(refusal) => assert_eq!(refusal, Refusal::RequestExists(REQUEST)),
            }
        }
    }
}

#[test]
fn the_table_has_a_row_for_every_action() {
    let table = rows(LIFE_CYCLE);
    let listed = |name| table.iter().any(|row| row[0].split('/').next() == Some(name));
    for name in ["create", "approve", "deny", "start", "bind", "change", "complete", "fail", "cancel", "abandon"] {
        // A new action does not compile until it has its place here, in the list above and so in the table.
        let action = action(name);
        let known = match &action {
            Action::Create(_) => "create",
            Action::Approve { .. } => "approve",
            Action::Deny { .. } => "deny",
            Action::Start { .. } => "start",
            Action::BindSmartcard { .. } => "bind",
            Action::ChangeSmartcard { .. } => "change",
            Action::Complete { .. } => "complete",
            Action::Fail { .. } => "fail",
            Action::Cancel { .. } => "cancel",
            Action::Abandon { .. } => "abandon",
        };
        assert_eq!(known, name);
        assert!(action.name().starts_with(name), "{name} is called {}", action.name());
        assert!(listed(name), "{name} has a row");
    }
}

/// The action; a creation of a request that needs approvals makes a pending one.
fn action_under(name: &str, needed: &str) -> Action {
    match (action(name), needed) {
        (Action::Create(_), "1") => creation(needing(1), TARGET),
        (action, _) => action,
    }
}

/// Somebody who may take this action under an open policy.
fn whoever_may(name: &str) -> UserId {
    match name {
        "create" => ORIGINATOR,
        "approve" | "deny" => APPROVER,
        _ => TARGET,
    }
}

fn outcome(decided: &Result<Event, Refusal>) -> &'static str {
    match decided {
        Ok(event) => event.request.status().name(),
        Err(Refusal::IllegalTransition { .. }) => "-",
        Err(Refusal::RequestExists(_)) => "exists",
        Err(Refusal::RequestNotFound(_)) => "missing",
        Err(refusal) => panic!("refused for another reason: {refusal}"),
    }
}
