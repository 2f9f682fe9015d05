//! The auditor detects faults: each alteration of a sound log or topic is reported, and nothing else is.

mod fixtures;

use cmgate::contract::v1::{RequestEvent, RequestEventType as Type, RequestStatus as Status};
use cmgate::domain::{RequestId, ShardCount};
use prost::Message;
use uuid::Uuid;

use super::check::check;
use super::event::Event;
use super::evidence::{Acknowledged, Evidence, LogRow, TopicRecord};
use super::report::Violation;
use fixtures::{CANCELED, SHARDS, event, index, lived, rewrite, row, sound, undo, written};

#[test]
fn a_sound_log_and_topic_have_no_violation() {
    let report = check(&sound());
    assert_eq!(report.violations, []);
    assert_eq!((report.requests, report.events, report.records), (8, 28, 28));
    assert_eq!((report.unpublished, report.acknowledged), (0, 28));
}

#[test]
fn an_empty_log_and_topic_have_no_violation() {
    assert_eq!(check(&Evidence::default()).violations, []);
}

#[test]
fn a_removed_record_is_missing() {
    let mut evidence = sound();
    evidence.records.remove(index(&evidence, 1, 3));
    assert_eq!(check(&evidence).violations, [Violation::RecordMissing { shard: 1, position: 3 }]);
}

#[test]
fn an_unpublished_record_is_not_reported_as_missing() {
    let mut evidence = sound();
    let last = evidence.database.next[&0] - 1;
    evidence.records.remove(index(&evidence, 0, last));
    let report = check(&evidence);
    assert_eq!((report.violations.as_slice(), report.unpublished), ([].as_slice(), 1));

    evidence.database.checkpoints.insert(0, last);
    let expected = Violation::CheckpointAhead { shard: 0, checkpoint: last, tail: last - 1 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn a_repeated_record_is_reported_once() {
    let mut evidence = sound();
    let again = TopicRecord { offset: 1_000, ..evidence.records[index(&evidence, 1, 3)].clone() };
    evidence.records.push(again);
    let expected = Violation::RecordRepeated { shard: 1, position: 3, offset: 1_000 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn swapped_records_are_out_of_order() {
    let mut evidence = sound();
    let (earlier, later) = (index(&evidence, 1, 3), index(&evidence, 1, 4));
    evidence.records.swap(earlier, later);
    let offset = evidence.records[later].offset;
    let expected = Violation::RecordOutOfOrder { shard: 1, position: 3, offset, after: 4 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn an_altered_value_or_key_differs_from_the_log() {
    let differs = |what: &str| [Violation::RecordDiffers { shard: 1, position: 3, what: what.to_owned() }];
    let mut evidence = sound();
    let altered = index(&evidence, 1, 3);
    evidence.records[altered].value[4] ^= 1;
    assert_eq!(check(&evidence).violations, differs("value"));

    let mut evidence = sound();
    evidence.records[altered].value.push(0);
    assert_eq!(check(&evidence).violations, differs("value"));

    let mut evidence = sound();
    evidence.records[altered].key.make_ascii_uppercase();
    evidence.records[altered].key.push(b'x');
    assert_eq!(check(&evidence).violations, differs("key"));
}

#[test]
fn a_header_altered_removed_repeated_or_added_differs_from_the_log() {
    let altered = index(&sound(), 1, 3);
    let names: Vec<String> = sound().records[altered].headers.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names.len(), 12);
    for (header, name) in names.iter().enumerate().filter(|(_, name)| !["x-shard", "x-pos"].contains(&name.as_str())) {
        let differs = [Violation::RecordDiffers { shard: 1, position: 3, what: format!("header {name}") }];

        let mut evidence = sound();
        evidence.records[altered].headers.remove(header);
        assert_eq!(check(&evidence).violations, differs, "{name} removed");

        let mut evidence = sound();
        evidence.records[altered].headers[header].1.clear();
        assert_eq!(check(&evidence).violations, differs, "{name} altered");

        let mut evidence = sound();
        let again = evidence.records[altered].headers[header].clone();
        evidence.records[altered].headers.push(again);
        assert_eq!(check(&evidence).violations, differs, "{name} repeated");
    }
    let mut evidence = sound();
    evidence.records[altered].headers.push(("x-more".to_owned(), Vec::new()));
    let differs = [Violation::RecordDiffers { shard: 1, position: 3, what: "header x-more".to_owned() }];
    assert_eq!(check(&evidence).violations, differs);
}

#[test]
fn a_record_without_a_position_is_foreign() {
    for name in ["x-shard", "x-pos"] {
        let mut evidence = sound();
        let mut foreign = evidence.records[index(&evidence, 1, 3)].clone();
        foreign.offset = 1_000;
        foreign.headers.retain(|(other, _)| other != name);
        evidence.records.push(foreign);
        assert_eq!(check(&evidence).violations, [Violation::RecordForeign { partition: 1, offset: 1_000 }]);
    }
}

#[test]
fn a_record_moved_to_another_partition_is_misplaced() {
    let mut evidence = sound();
    let moved = index(&evidence, 1, 3);
    evidence.records[moved].partition = 0;
    let expected = Violation::RecordMisplaced { shard: 1, position: 3, partition: 0 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn a_topic_beyond_the_head_is_ahead() {
    let mut evidence = sound();
    // An older database with the same topic: it lacks the last two events of a shard.
    let next = evidence.database.next[&1];
    let lost: Vec<LogRow> =
        evidence.database.log.extract_if(.., |row| row.shard == 1 && row.position >= next - 2).collect();
    evidence.database.next.insert(1, next - 2);
    evidence.acknowledged.clear();
    undo(&mut evidence, &lost);
    let expected = Violation::TopicAhead { shard: 1, tail: next - 1, last: next - 3 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn an_acknowledged_write_that_is_not_in_the_log_is_missing() {
    let mut evidence = sound();
    let request = evidence.database.requests[0].id;
    evidence.acknowledged.push(Acknowledged { request, version: 6 });
    let unknown = Uuid::from_u128(99);
    evidence.acknowledged.push(Acknowledged { request: unknown, version: 1 });
    let expected = [(request, 6), (unknown, 1)];
    let expected = expected.map(|(request, version)| Violation::AcknowledgedMissing { request, version });
    assert_eq!(check(&evidence).violations, expected);
}

#[test]
fn a_row_deleted_from_the_log_is_reported_wherever_it_is_missing() {
    let mut evidence = sound();
    let vanished = row(&evidence, 1, 3).clone();
    evidence.database.log.retain(|row| (row.shard, row.position) != (1, 3));
    let (request, version) = (vanished.request, vanished.version);
    let expected = [
        Violation::AcknowledgedMissing { request, version },
        Violation::PositionMissing { shard: 1, position: 3 },
        Violation::VersionMissing { request, version },
        Violation::RecordWithoutRow { shard: 1, position: 3 },
    ];
    assert_eq!(check(&evidence).violations, expected);
}

#[test]
fn a_head_that_disagrees_with_the_log_is_wrong() {
    let mut evidence = sound();
    let next = evidence.database.next[&1];
    evidence.database.next.insert(1, next + 1);
    let expected = Violation::HeadWrong { shard: 1, next: next + 1, last: next - 1 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn a_repeated_position_is_reported() {
    let mut evidence = sound();
    let again = row(&evidence, 1, 3).clone();
    evidence.database.log.push(again);
    assert_eq!(check(&evidence).violations, [Violation::PositionRepeated { shard: 1, position: 3 }]);
}

#[test]
fn a_request_has_an_event_for_each_version_and_no_more() {
    let mut evidence = sound();
    let request = evidence.database.requests[0].id;
    evidence.database.requests[0].version += 1;
    assert_eq!(check(&evidence).violations, [Violation::VersionMissing { request, version: 6 }]);

    evidence.database.requests[0].version -= 2;
    evidence.database.requests[0].status = Status::Executing.into();
    let violations = check(&evidence).violations;
    assert!(violations.contains(&Violation::VersionUnknown { request, version: 5 }), "{violations:?}");

    evidence.database.requests.remove(0);
    let unknown = [1, 2, 3, 4, 5].map(|version| Violation::VersionUnknown { request, version });
    assert_eq!(check(&evidence).violations, unknown);
}

#[test]
fn an_event_in_the_wrong_shard_is_reported() {
    // The whole life is in the wrong shard of log and topic, so nothing else is wrong.
    let stray = Uuid::from_u128(1);
    let right = ShardCount::new(SHARDS).unwrap().shard_of(RequestId::new(stray)).number();
    let wrong = 1 - right;
    let evidence = written(&[(stray, &CANCELED)], |_| wrong);
    let expected = [1, 2].map(|position| Violation::WrongShard { shard: wrong, position, request: stray });
    assert_eq!(check(&evidence).violations, expected);
}

#[test]
fn a_step_after_a_final_status_is_illegal() {
    let life = [CANCELED.as_slice(), &[(Type::Started, Status::Executing)]].concat();
    let expected = Violation::StepIllegal {
        request: Uuid::from_u128(1),
        version: 3,
        from: "REQUEST_STATUS_CANCELED",
        event: "REQUEST_EVENT_TYPE_STARTED",
        to: "REQUEST_STATUS_EXECUTING",
    };
    assert_eq!(check(&lived(&life)).violations, [expected]);
}

#[test]
fn every_step_that_the_life_cycle_does_not_have_is_illegal() {
    let legal = [
        (Type::Created, &[(Status::Unspecified, Status::Pending), (Status::Unspecified, Status::Approved)][..]),
        (Type::ApprovalRecorded, &[(Status::Pending, Status::Pending)]),
        (Type::Approved, &[(Status::Pending, Status::Approved)]),
        (Type::Denied, &[(Status::Pending, Status::Denied)]),
        (Type::Started, &[(Status::Approved, Status::Executing)]),
        (Type::Completed, &[(Status::Approved, Status::Completed), (Status::Executing, Status::Completed)]),
        (Type::Failed, &[(Status::Approved, Status::Failed), (Status::Executing, Status::Failed)]),
        (
            Type::Canceled,
            &[
                (Status::Pending, Status::Canceled),
                (Status::Approved, Status::Canceled),
                (Status::Executing, Status::Canceled),
            ],
        ),
    ];
    for (event_type, steps) in legal {
        for before in 0..=7 {
            for after in 0..=7 {
                let (before, after) = (Status::try_from(before).unwrap(), Status::try_from(after).unwrap());
                let event = event(Uuid::nil(), 1, 0, before, (event_type, after));
                let expected = steps.contains(&(before, after));
                let event = Event::decode(&event.encode_to_vec()).unwrap();
                assert_eq!(
                    super::life::is_legal(before.into(), &event),
                    expected,
                    "{before:?} {event_type:?} {after:?}"
                );
            }
        }
    }
}

#[test]
fn an_event_with_a_wrong_previous_status_is_illegal() {
    let mut evidence = lived(&CANCELED);
    rewrite(&mut evidence, 2, |event| event.previous_status = Status::Pending.into());
    let violations = check(&evidence).violations;
    assert!(matches!(violations.as_slice(), [Violation::StepIllegal { version: 2, .. }]), "{violations:?}");
}

#[test]
fn versions_out_of_order_are_reported() {
    let mut evidence = lived(&CANCELED);
    evidence.database.log[0].version = 2;
    evidence.database.log[1].version = 1;
    for (row, version) in [(1, 2), (2, 1)] {
        rewrite(&mut evidence, row, |event| event.request.as_mut().unwrap().version = version);
    }
    let expected = Violation::VersionDisordered { request: Uuid::from_u128(1), version: 2 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn time_that_goes_back_is_reported() {
    let mut evidence = lived(&CANCELED);
    evidence.database.log[1].at -= 10_000_000;
    rewrite(&mut evidence, 2, |event| event.time.as_mut().unwrap().seconds -= 10);
    let expected = Violation::TimeBackwards { request: Uuid::from_u128(1), version: 2 };
    assert_eq!(check(&evidence).violations, [expected]);
}

#[test]
fn a_request_whose_status_differs_from_its_last_event_is_reported() {
    let mut evidence = sound();
    evidence.database.requests[0].status = Status::Executing.into();
    let request = evidence.database.requests[0].id;
    assert_eq!(check(&evidence).violations, [Violation::StatusWrong { request }]);
}

#[test]
fn a_payload_that_contradicts_its_row_is_reported() {
    type Alteration = fn(&mut RequestEvent);
    let contradictions: [(&str, Alteration); 6] = [
        ("request", |event| event.request.as_mut().unwrap().id = Uuid::from_u128(99).to_string()),
        ("version", |event| event.request.as_mut().unwrap().version += 1),
        ("type", |event| event.r#type = Type::Completed.into()),
        ("time", |event| event.time.as_mut().unwrap().nanos += 1_000),
        ("place", |event| event.position = 7),
        ("it has no request", |event| event.request = None),
    ];
    for (what, contradict) in contradictions {
        let mut evidence = lived(&CANCELED);
        rewrite(&mut evidence, 2, contradict);
        let violations = check(&evidence).violations;
        assert!(
            matches!(violations.as_slice(), [Violation::RowContradictory { position: 2, what: found, .. }] if *found == what),
            "{what}: {violations:?}"
        );
    }
}

#[test]
fn a_report_reads_as_sentences() {
    let mut evidence = sound();
    evidence.records.remove(index(&evidence, 1, 3));
    let expected = "8 requests, 28 events, 27 records, 0 unpublished, 28 acknowledged, 1 violations\n\
                    I3: partition 1 has no position 3";
    assert_eq!(check(&evidence).to_string(), expected);
}
