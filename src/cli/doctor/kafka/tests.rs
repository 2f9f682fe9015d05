//! What each state of a cluster means.

use std::collections::BTreeMap;

use super::super::report::Level;
use super::*;

fn kafka(replication_factor: u16) -> KafkaSettings {
    let settings = Settings::default().relay.kafka;
    KafkaSettings { topic: "events".to_owned(), replication_factor, ..settings }
}

fn partition(number: i32, replicas: usize, in_sync: usize) -> PartitionReport {
    PartitionReport { number, has_leader: true, replicas, in_sync }
}

fn map(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn description(partitions: usize) -> TopicDescription {
    let identity = TopicIdentity { topic: "events".to_owned(), cluster: None, topic_id: None };
    TopicDescription { identity, partitions }
}

/// A cluster without any problem for one replica.
fn healthy() -> ClusterReport {
    let settings = Ok(map(&[
        ("min.insync.replicas", "1"),
        ("cleanup.policy", "delete"),
        ("retention.ms", "604800000"),
        ("max.message.bytes", "1048588"),
    ]));
    let partitions = (0..8).map(|number| partition(number, 1, 1)).collect();
    ClusterReport {
        cluster: Some("c".to_owned()),
        brokers: 1,
        silent: Vec::new(),
        topic: Some(TopicReport { description: description(8), partitions, denied: Some(Vec::new()), settings }),
        transactions: Transactions::Allowed,
        broker_settings: Ok(map(&[("transaction.max.timeout.ms", "900000")])),
    }
}

/// A healthy cluster whose topic is changed.
fn with_topic(change: impl FnOnce(&mut TopicReport)) -> ClusterReport {
    let mut report = healthy();
    change(report.topic.as_mut().unwrap());
    report
}

fn with_setting(name: &str, value: &str) -> ClusterReport {
    with_topic(|topic| {
        topic.settings.as_mut().unwrap().insert(name.to_owned(), value.to_owned());
    })
}

#[test]
fn a_healthy_cluster_has_no_problem() {
    let lines: Vec<String> = judge(&healthy(), &kafka(1)).iter().map(ToString::to_string).collect();
    let expected = [
        "ok       kafka brokers: cluster c, 1 broker",
        "ok       kafka transactions: allowed",
        "ok       kafka replication: 1 replica, min.insync.replicas 1",
        "ok       kafka rights: the account may read and write the topic",
        "ok       kafka topic settings: events are kept for 168 h",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn each_problem_of_a_cluster_has_its_line() {
    let two_of_three = || (0..8).map(|number| partition(number, 3, 2)).collect::<Vec<_>>();
    let denied = Transactions::Denied("x".to_owned());
    for (report, factor, level, begin) in [
        (
            ClusterReport { silent: vec![("b:1".to_owned(), "x".to_owned())], ..healthy() },
            1,
            Level::Warning,
            "b:1 does not answer: x",
        ),
        (
            ClusterReport { broker_settings: Ok(map(&[("transaction.max.timeout.ms", "5000")])), ..healthy() },
            1,
            Level::Fault,
            "kafka.transaction_timeout is 10s, the brokers allow 5s",
        ),
        (
            ClusterReport { transactions: denied, ..healthy() },
            1,
            Level::Fault,
            "the account may not use transactional ids that begin with events: x",
        ),
        (ClusterReport { transactions: Transactions::Unknown("x"), ..healthy() }, 1, Level::Skipped, "not known: x"),
        (with_topic(|topic| topic.partitions[3].has_leader = false), 1, Level::Fault, "partitions 3 have no leader"),
        (
            with_topic(|topic| {
                topic.partitions = two_of_three();
                topic.settings = Ok(map(&[("min.insync.replicas", "3")]));
            }),
            3,
            Level::Fault,
            "partitions 0, 1, 2, 3, 4, 5, 6, 7 have fewer than min.insync.replicas = 3 replicas in sync",
        ),
        (
            with_topic(|topic| topic.partitions = two_of_three()),
            1,
            Level::Warning,
            "partitions 0, 1, 2, 3, 4, 5, 6, 7 have replicas that are not in sync",
        ),
        (healthy(), 3, Level::Warning, "the topic has 1 replica, kafka.replication_factor is 3"),
        (
            with_topic(|topic| topic.partitions = (0..8).map(|number| partition(number, 3, 3)).collect()),
            3,
            Level::Warning,
            "min.insync.replicas is 1: an acknowledged event can be lost with one broker",
        ),
        (
            with_topic(|topic| topic.denied = Some(vec!["Write"])),
            1,
            Level::Fault,
            "the account lacks Write on the topic",
        ),
        (with_topic(|topic| topic.settings = Err("x".to_owned())), 1, Level::Warning, "cannot be read: x"),
        (
            with_setting("cleanup.policy", "compact, delete"),
            1,
            Level::Fault,
            "cleanup.policy is compact, delete: compaction removes",
        ),
        (with_setting("retention.ms", "3600000"), 1, Level::Warning, "retention.ms is 3600000: a consumer"),
        (with_setting("max.message.bytes", "1000"), 1, Level::Warning, "max.message.bytes is 1000: the relay halts"),
    ] {
        let findings = judge(&report, &kafka(factor));
        let found: Vec<_> = findings.iter().filter(|finding| finding.level != Level::Ok).collect();
        assert_eq!(found.len(), 1, "{begin}: {findings:?}");
        assert!(found[0].level == level && found[0].text.starts_with(begin), "{begin}: {findings:?}");
        assert!(level == Level::Skipped || found[0].advice.is_some(), "{begin}: {findings:?}");
    }
    let forever = judge(&with_setting("retention.ms", "-1"), &kafka(1));
    assert_eq!(forever.last().unwrap().text, "events are kept for ever");
}

#[test]
fn the_topic_is_judged_as_the_relay_would() {
    let bound = |topic: &str| TopicIdentity { topic: topic.to_owned(), cluster: None, topic_id: None };
    let settings = kafka(1);
    let judge = |bound: Option<TopicIdentity>, found: Option<TopicDescription>| {
        found.map_or(Topic::Missing, Topic::Found).judge(bound.as_ref(), &settings).unwrap()
    };
    assert_eq!(judge(None, Some(description(8))).level, Level::Ok);
    assert_eq!(judge(Some(bound("events")), Some(description(8))).level, Level::Ok);
    let missing = judge(None, None);
    assert_eq!((missing.level, missing.text.as_str()), (Level::Warning, "topic events does not exist yet"));
    for (bound, found, begin) in [
        (Some(bound("events")), None, "topic events does not exist, but events were published to it."),
        (
            Some(bound("others")),
            Some(description(8)),
            "this database publishes to topic others, but kafka.topic is events.",
        ),
        (None, Some(description(7)), "topic events has 7 partitions, the event log has 8 shards. Run `kafka-topics.sh"),
        (
            Some(bound("events")),
            Some(description(9)),
            "topic events has 9 partitions, the event log has 8 shards, and Kafka cannot",
        ),
    ] {
        let finding = judge(bound, found);
        assert!(finding.level == Level::Fault && finding.text.starts_with(begin), "{finding}");
    }
}

#[test]
fn what_a_fence_rests_on_is_judged_for_a_fenced_publisher_alone() {
    let broker = |name: &str, value: &str| {
        let mut settings = map(&[
            ("transaction.max.timeout.ms", "900000"),
            ("producer.id.expiration.ms", "86400000"),
            ("transactional.id.expiration.ms", "604800000"),
            ("connections.max.idle.ms", "600000"),
        ]);
        settings.insert(name.to_owned(), value.to_owned());
        ClusterReport { broker_settings: Ok(settings), ..healthy() }
    };
    let fenced = KafkaSettings { publishing: Publishing::Fenced, ..kafka(1) };
    let about = |report: &ClusterReport, kafka: &KafkaSettings| -> Vec<Finding> {
        judge(report, kafka).into_iter().filter(|finding| finding.subject == "kafka fence").collect()
    };
    let unknown = ClusterReport { broker_settings: Err("x".to_owned()), ..healthy() };
    for (report, level, begin) in [
        (broker("connections.max.idle.ms", "600000"), Level::Ok, "the brokers remember it"),
        (broker("connections.max.idle.ms", "-1"), Level::Ok, "the brokers remember it"),
        (unknown, Level::Skipped, "the settings of the brokers cannot be read: x"),
        (
            broker("producer.id.expiration.ms", "7200000"),
            Level::Fault,
            "producer.id.expiration.ms of the brokers is 7200s",
        ),
        (broker("transactional.id.expiration.ms", "7200000"), Level::Fault, "transactional.id.expiration.ms of the"),
        (
            broker("connections.max.idle.ms", "60000"),
            Level::Warning,
            "connections.max.idle.ms of the brokers is 60s: an",
        ),
        (
            broker("connections.max.idle.ms", "3600000"),
            Level::Warning,
            "connections.max.idle.ms of the brokers is 3600s: after",
        ),
        (
            with_setting("unclean.leader.election.enable", "true"),
            Level::Fault,
            "unclean.leader.election.enable is true",
        ),
        (with_setting("unclean.leader.election.enable", "false"), Level::Ok, "the brokers remember it"),
    ] {
        let findings = about(&report, &fenced);
        assert!(findings.len() == 1 && findings[0].level == level, "{begin}: {findings:?}");
        assert!(findings[0].text.starts_with(begin), "{begin}: {findings:?}");
        assert!(about(&report, &kafka(1)).is_empty(), "{begin}");
    }
}

#[test]
fn the_mode_of_publishing_is_that_of_the_database() {
    let settings = |publishing| {
        let mut settings = Settings::default();
        settings.relay.kafka.publishing = publishing;
        settings.relay.kafka.brokers = "b:1".to_owned();
        settings
    };
    let fenced = settings(Publishing::Fenced);
    for (bound, level, text) in [
        (None, Level::Ok, "fenced; the database is not published yet"),
        (Some(Publishing::Fenced), Level::Ok, "fenced, as the database"),
        (Some(Publishing::Transactions), Level::Fault, "this database publishes with kafka.publish = \"transactions\""),
    ] {
        let finding = judge_mode(bound, &fenced).unwrap();
        assert!(finding.level == level && finding.text.starts_with(text), "{finding}");
    }
    assert_eq!(judge_mode(Some(Publishing::Fenced), &settings(Publishing::Transactions)).unwrap().level, Level::Fault);
}
