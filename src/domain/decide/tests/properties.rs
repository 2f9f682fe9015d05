//! What holds in every life of a request, whoever does whatever to it, and however the clocks go.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest::{option, prop_assert, prop_assert_eq, prop_oneof, proptest};

use crate::domain::fixtures::{
    AGENT, APPROVER, BOUND, INITIATOR, ORIGINATOR, SECOND_APPROVER, STRANGER, TARGET, action, at, command, creation,
};
use crate::domain::{
    Action, Command, Comment, CredentialStatus, Credentials, Event, EventType, Policy, Principal, Refusal, Request,
    Status, UserId, Version, decide,
};

/// The creation of a request, and what people then try to do with it.
#[derive(Clone, Debug)]
struct Attempt {
    created: Command,
    commands: Vec<Command>,
}

/// What came of it: the events, and the commands that caused them.
struct Life {
    events: Vec<Event>,
    known: Credentials,
    effective: Vec<Command>,
}

impl Attempt {
    fn live(&self) -> Life {
        let first = decide(&self.created, None, &Credentials::default()).unwrap().unwrap();
        let mut life = Life { events: vec![first], known: Credentials::default(), effective: Vec::new() };
        for command in &self.commands {
            if let Ok(Some(event)) = decide(command, Some(life.current()), &life.known) {
                event.credentials.iter().cloned().for_each(|credential| life.known.put(credential));
                life.events.push(event);
                life.effective.push(command.clone());
            }
        }
        life
    }
}

impl Life {
    fn current(&self) -> &Request {
        &self.events.last().unwrap().request
    }

    /// Each event with the one after it.
    fn pairs(&self) -> impl Iterator<Item = (&Event, &Event)> {
        self.events.iter().zip(&self.events[1..])
    }
}

proptest! {
    #[test]
    fn the_version_counts_the_events(attempt in attempts()) {
        for (version, event) in (1..).zip(attempt.live().events) {
            prop_assert_eq!(event.request.version, Version::new(version));
        }
    }

    #[test]
    fn time_never_goes_back(attempt in attempts()) {
        let life = attempt.live();
        for (event, next) in life.pairs() {
            prop_assert!(event.at <= next.at);
        }
        for event in &life.events {
            prop_assert_eq!(event.request.changed_at, event.at);
        }
    }

    #[test]
    fn nothing_follows_a_final_status(attempt in attempts()) {
        let life = attempt.live();
        for (event, _) in life.pairs() {
            prop_assert!(!event.request.status().is_final());
        }
    }

    #[test]
    fn every_event_names_the_status_before_it(attempt in attempts()) {
        let life = attempt.live();
        prop_assert_eq!(life.events[0].previous, None);
        for (event, next) in life.pairs() {
            prop_assert_eq!(next.previous, Some(event.request.status()));
        }
    }

    #[test]
    fn approvals_are_given_by_distinct_persons_and_never_by_a_party(attempt in attempts()) {
        let life = attempt.live();
        let approvals = &life.current().approvals;
        let persons: HashSet<UserId> = approvals.iter().map(|approval| approval.actor.user).collect();
        prop_assert_eq!(persons.len(), approvals.len());
        prop_assert!(!persons.contains(&life.current().originator));
        prop_assert!(!persons.contains(&life.current().target));
    }

    #[test]
    fn a_request_is_approved_by_exactly_the_approvals_that_it_needs(attempt in attempts()) {
        for event in attempt.live().events {
            let needed = usize::from(event.request.policy.approvals_needed);
            let given = event.request.approvals.len();
            match event.request.status() {
                Status::Pending => prop_assert!(given < needed),
                Status::Approved | Status::Executing | Status::Completed | Status::Failed => {
                    prop_assert_eq!(given, needed);
                }
                Status::Denied => prop_assert!(given < needed),
                Status::Canceled => prop_assert!(given <= needed),
            }
        }
    }

    #[test]
    fn only_somebody_whom_the_policy_names_executes(attempt in attempts()) {
        let life = attempt.live();
        let agents = life.current().policy.agents.clone();
        for (event, command) in life.events[1..].iter().zip(&life.effective) {
            let is_execution = matches!(event.event_type, EventType::Started | EventType::Completed);
            if is_execution && !agents.is_empty() {
                prop_assert!(agents.contains(&Principal::User(command.caller.user)));
            }
        }
    }

    #[test]
    fn what_a_request_is_about_never_changes(attempt in attempts()) {
        let life = attempt.live();
        let about = |request: &Request| {
            (request.id, request.kind, request.originator, request.target, request.template, request.submitted_at)
        };
        let kept = |request: &Request| {
            (request.policy.clone(), request.descriptor.clone(), request.priority, request.comment.clone(), request.old)
        };
        for (event, next) in life.pairs() {
            prop_assert_eq!(about(&event.request), about(&next.request));
            prop_assert_eq!(kept(&event.request), kept(&next.request));
        }
    }

    #[test]
    fn a_refused_command_leaves_nothing(attempt in attempts()) {
        let life = attempt.live();
        let without = Attempt { commands: life.effective.clone(), ..attempt }.live();
        prop_assert_eq!(life.events, without.events);
    }

    #[test]
    fn a_command_for_another_version_never_takes_effect(attempt in attempts(), offset in 1_u32..9) {
        let life = attempt.live();
        let wrong = Version::new(life.current().version.get() + offset);
        for command in &attempt.commands {
            let command = Command { expected: Some(wrong), ..command.clone() };
            let decided = decide(&command, Some(life.current()), &life.known);
            let mismatch = Refusal::VersionMismatch { expected: wrong, actual: life.current().version };
            prop_assert_eq!(decided, Err(mismatch));
        }
    }
}

/// Without this, a generator that only ever makes refused commands would prove everything above.
#[test]
fn the_random_lives_come_to_every_event_and_every_status() {
    let mut runner = TestRunner::deterministic();
    let mut seen = HashSet::new();
    let mut ends = HashSet::new();
    for _ in 0..2_000 {
        let life = attempts().new_tree(&mut runner).unwrap().current().live();
        seen.extend(life.events.iter().map(|event| event.event_type));
        ends.insert(life.current().status());
    }
    assert_eq!(seen, HashSet::from(EventType::ALL));
    assert_eq!(ends, HashSet::from(Status::ALL));
}

fn attempts() -> impl Strategy<Value = Attempt> {
    let parties = prop_oneof![Just(TARGET), Just(ORIGINATOR)];
    (policies(), parties, vec(commands(), 0..24)).prop_map(|(policy, target, commands)| Attempt {
        created: command(ORIGINATOR, creation(policy, target)),
        commands,
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let approvers = prop_oneof![Just(vec![]), Just(vec![APPROVER, SECOND_APPROVER, TARGET])];
    let initiators = prop_oneof![Just(vec![]), Just(vec![INITIATOR, ORIGINATOR])];
    let agents = prop_oneof![Just(vec![]), Just(vec![AGENT])];
    let principals = |users: Vec<UserId>| users.into_iter().map(Principal::User).collect();
    (0_u8..3, any::<bool>(), approvers, initiators, agents).prop_map(
        move |(approvals_needed, enrollment_agent_required, approvers, initiators, agents)| Policy {
            approvals_needed,
            enrollment_agent_required,
            approvers: principals(approvers),
            initiators: principals(initiators),
            agents: principals(agents),
            ..Policy::default()
        },
    )
}

fn commands() -> impl Strategy<Value = Command> {
    let persons = prop_oneof![
        Just(ORIGINATOR),
        Just(TARGET),
        Just(APPROVER),
        Just(SECOND_APPROVER),
        Just(AGENT),
        Just(INITIATOR),
        Just(STRANGER),
    ];
    // What ends a request is rarer, so that lives are not all short.
    let names = prop_oneof![
        6 => Just("approve"),
        1 => Just("deny"),
        4 => Just("start"),
        4 => Just("bind"),
        4 => Just("retire"),
        2 => Just("complete"),
        1 => Just("fail"),
        1 => Just("cancel"),
        1 => Just("abandon"),
        1 => Just("create"),
    ];
    (persons, names, -60_i64..60, option::weighted(0.2, 1_u32..5)).prop_map(|(person, name, seconds, expected)| {
        let action = match name {
            "retire" => {
                let comment = Comment::default();
                Action::ChangeSmartcard { smartcard: BOUND, status: CredentialStatus::Retired, comment }
            }
            name => action(name),
        };
        Command { now: at(seconds), expected: expected.map(Version::new), ..command(person, action) }
    })
}
