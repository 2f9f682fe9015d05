//! Kafka: the brokers, the topic, and the rights of the account.

mod fence;

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::{Finding, count};
use super::{LIMIT, TooSlow, bounded, too_slow};
use crate::cli::settings::Settings;
use crate::relay::Halt;
use crate::relay::kafka::{
    ClusterReport, KafkaFailure, KafkaSettings, PartitionReport, TopicDescription, TopicReport, Transactions, inspect,
};
use crate::runtime::telemetry::error_chain;
use crate::store::{Publishing, TopicIdentity};

const BROKERS: &str = "kafka brokers";
const TOPIC: &str = "kafka topic";
const TRANSACTIONS: &str = "kafka transactions";

/// Leaves time to report what was found.
const PATIENCE: Duration = LIMIT.saturating_sub(Duration::from_millis(500));
/// Kafka's default of `max.message.bytes`, which has room for every event.
const MESSAGE_BYTES: i64 = 1_048_588;
/// Consumers that are away for longer than the retention lose events; a day is the least that leaves time to repair one.
const MIN_RETENTION: Duration = Duration::from_hours(24);

/// What the examination found.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub(super) findings: Vec<Finding>,
    /// The topic.
    pub(super) topic: Topic,
}

/// The topic, as far as it is known.
#[derive(Debug, Default)]
pub(super) enum Topic {
    /// The cluster does not answer, or keeps no topic.
    #[default]
    Unknown,
    /// There is none.
    Missing,
    /// It exists.
    Found(TopicDescription),
}

impl Topic {
    /// Judges the topic together with the topic of the database, as the relay would; `None` if it is unknown.
    pub(super) fn judge(&self, bound: Option<&TopicIdentity>, kafka: &KafkaSettings) -> Option<Finding> {
        let found = match self {
            Self::Unknown => return None,
            Self::Missing => None,
            Self::Found(topic) => Some(topic),
        };
        Some(judge_topic(Halt::for_topic(bound, found, kafka), found, kafka))
    }
}

/// Examines the cluster and the topic.
pub(super) async fn examine(settings: &Settings) -> Examined {
    if settings.has_test_broker() {
        let text = "kafka.brokers is empty: a test broker in the process, which keeps nothing";
        return Examined { findings: vec![Finding::ok(BROKERS, text)], topic: Topic::Unknown };
    }
    let kafka = &settings.relay.kafka;
    match bounded(inspect(kafka, PATIENCE)).await {
        Ok(Ok(report)) => Examined {
            findings: judge(&report, kafka),
            topic: report.topic.map_or(Topic::Missing, |topic| Topic::Found(topic.description)),
        },
        Ok(Err(error)) => Examined { findings: vec![unreachable(&error)], topic: Topic::Unknown },
        Err(TooSlow) => {
            let advice = "check kafka.brokers, and the network in between";
            Examined { findings: vec![too_slow(BROKERS, advice)], topic: Topic::Unknown }
        }
    }
}

/// Compares the mode of publishing with that of the database.
pub(super) fn judge_mode(bound: Option<Publishing>, settings: &Settings) -> Option<Finding> {
    let (subject, mode) = ("kafka publish", settings.relay.kafka.publishing);
    if settings.has_test_broker() {
        return None;
    }
    Some(match bound {
        Some(bound) if bound != mode => Finding::plain_fault(subject, bound.conflict()),
        Some(bound) => Finding::ok(subject, format!("{}, as the database", bound.name())),
        None => Finding::ok(subject, format!("{}; the database is not published yet", mode.name())),
    })
}

fn unreachable(error: &KafkaFailure) -> Finding {
    let advice = match error {
        KafkaFailure::Settings(_) => "correct kafka.properties",
        _ => "start the brokers, or correct kafka.brokers and the user and password in kafka.properties",
    };
    Finding::fault(BROKERS, error_chain(error), advice)
}

fn judge(report: &ClusterReport, kafka: &KafkaSettings) -> Vec<Finding> {
    let cluster = report.cluster.as_deref().unwrap_or("without id");
    let mut findings = vec![Finding::ok(BROKERS, format!("cluster {cluster}, {}", count(report.brokers, "broker")))];
    findings.extend(report.silent.iter().map(|(broker, why)| {
        let text = format!("{broker} does not answer: {why}");
        Finding::warning(BROKERS, text, "start it, or remove it from kafka.brokers")
    }));
    findings.push(transactions(report, kafka));
    findings.extend(fence::judge(report, kafka));
    if let Some(topic) = &report.topic {
        findings.extend(replication(topic, kafka));
        findings.extend(rights(topic));
        findings.extend(settings(topic));
    }
    findings
}

/// The topic, given the halt of a relay that publishes to it.
fn judge_topic(halt: Option<Halt>, found: Option<&TopicDescription>, kafka: &KafkaSettings) -> Finding {
    match (halt, found) {
        (Some(halt), _) => Finding::plain_fault(TOPIC, halt),
        (None, Some(found)) => Finding::ok(TOPIC, format!("{}, {}", kafka.topic, count(found.partitions, "partition"))),
        (None, None) => {
            let text = format!("topic {} does not exist yet", kafka.topic);
            let advice = format!(
                "create it, or let the relay create it with {} and {}",
                count(kafka.partitions.get().into(), "partition"),
                count(kafka.replication_factor.into(), "replica")
            );
            Finding::warning(TOPIC, text, &advice)
        }
    }
}

fn transactions(report: &ClusterReport, kafka: &KafkaSettings) -> Finding {
    let wanted = kafka.transaction_timeout;
    let limit = report.broker_settings.as_ref().ok().and_then(|settings| settings.get("transaction.max.timeout.ms"));
    if let Some(limit) = limit.and_then(|limit| limit.parse::<u64>().ok()).map(Duration::from_millis)
        && limit < wanted
    {
        let text = format!("kafka.transaction_timeout is {wanted:?}, the brokers allow {limit:?}");
        let advice = "lower kafka.transaction_timeout, or raise transaction.max.timeout.ms of the brokers";
        return Finding::fault(TRANSACTIONS, text, advice);
    }
    match &report.transactions {
        Transactions::Allowed => Finding::ok(TRANSACTIONS, "allowed"),
        Transactions::Denied(why) => {
            let text = format!("the account may not use transactional ids that begin with {}: {why}", kafka.topic);
            Finding::fault(TRANSACTIONS, text, "grant it Describe and Write on transactional ids with this prefix")
        }
        Transactions::Unknown(why) => Finding::skipped(TRANSACTIONS, format!("not known: {why}")),
    }
}

fn replication(topic: &TopicReport, kafka: &KafkaSettings) -> Vec<Finding> {
    let subject = "kafka replication";
    let numbers = |is_so: &dyn Fn(&&PartitionReport) -> bool| -> Vec<String> {
        topic.partitions.iter().filter(is_so).map(|partition| partition.number.to_string()).collect()
    };
    let needed = number(&topic.settings, "min.insync.replicas").and_then(|needed| usize::try_from(needed).ok());
    let mut findings = Vec::new();
    let leaderless = numbers(&|partition| !partition.has_leader);
    if !leaderless.is_empty() {
        let text = format!("partitions {} have no leader", leaderless.join(", "));
        findings.push(Finding::fault(subject, text, "start the brokers with their replicas"));
    }
    if let Some(needed) = needed {
        let blocked = numbers(&|partition| partition.has_leader && partition.in_sync < needed);
        if !blocked.is_empty() {
            let text = format!(
                "partitions {} have fewer than min.insync.replicas = {needed} replicas in sync",
                blocked.join(", ")
            );
            findings.push(Finding::fault(subject, text, "start the other brokers; until then nothing is published"));
        }
    }
    let behind = numbers(&|partition| partition.has_leader && partition.in_sync < partition.replicas);
    if findings.is_empty() && !behind.is_empty() {
        let text = format!("partitions {} have replicas that are not in sync", behind.join(", "));
        findings.push(Finding::warning(subject, text, "start the other brokers"));
    }
    let least = topic.partitions.iter().map(|partition| partition.replicas).min().unwrap_or(0);
    if least < usize::from(kafka.replication_factor) {
        let text = format!(
            "the topic has {}, kafka.replication_factor is {}",
            count(least, "replica"),
            kafka.replication_factor
        );
        let advice = "add replicas with kafka-reassign-partitions.sh, or correct kafka.replication_factor";
        findings.push(Finding::warning(subject, text, advice));
    } else if kafka.replication_factor > 1 && needed == Some(1) {
        let text = "min.insync.replicas is 1: an acknowledged event can be lost with one broker";
        findings.push(Finding::warning(subject, text, "set min.insync.replicas = 2 on the topic"));
    } else if findings.is_empty() {
        let in_sync = needed.map(|needed| format!(", min.insync.replicas {needed}")).unwrap_or_default();
        findings.push(Finding::ok(subject, format!("{}{in_sync}", count(least, "replica"))));
    }
    findings
}

fn rights(topic: &TopicReport) -> Option<Finding> {
    let subject = "kafka rights";
    let denied = topic.denied.as_ref()?;
    if denied.is_empty() {
        return Some(Finding::ok(subject, "the account may read and write the topic"));
    }
    let text = format!("the account lacks {} on the topic", denied.join(", "));
    Some(Finding::fault(subject, text, "grant them with kafka-acls.sh"))
}

fn settings(topic: &TopicReport) -> Vec<Finding> {
    let subject = "kafka topic settings";
    let settings = match &topic.settings {
        Ok(settings) => settings,
        Err(why) => {
            let advice = "grant the account DescribeConfigs on the topic, or check the settings with kafka-configs.sh";
            return vec![Finding::warning(subject, format!("cannot be read: {why}"), advice)];
        }
    };
    let mut findings = Vec::new();
    let policy = settings.get("cleanup.policy").map_or("", String::as_str);
    if policy.split(',').any(|policy| policy.trim() == "compact") {
        let text = format!("cleanup.policy is {policy}: compaction removes all but the last event of a request");
        findings.push(Finding::fault(subject, text, "set cleanup.policy = delete on the topic"));
    }
    let retention = number(&topic.settings, "retention.ms");
    let millis = i64::try_from(MIN_RETENTION.as_millis()).unwrap_or(i64::MAX);
    if let Some(retention) = retention.filter(|retention| (0..millis).contains(retention)) {
        let text = format!("retention.ms is {retention}: a consumer that is away for longer loses events");
        findings.push(Finding::warning(subject, text, "raise retention.ms; seven days are Kafka's default"));
    }
    if let Some(bytes) = number(&topic.settings, "max.message.bytes").filter(|bytes| *bytes < MESSAGE_BYTES) {
        let text = format!("max.message.bytes is {bytes}: the relay halts at a larger event");
        findings.push(Finding::warning(subject, text, "set max.message.bytes = 1048588, Kafka's default"));
    }
    if findings.is_empty() {
        let kept = match retention {
            Some(-1) => "for ever".to_owned(),
            Some(retention) => format!("for {} h", retention / 3_600_000),
            None => "for an unknown time".to_owned(),
        };
        findings.push(Finding::ok(subject, format!("events are kept {kept}")));
    }
    findings
}

fn number(settings: &Result<BTreeMap<String, String>, String>, name: &str) -> Option<i64> {
    settings.as_ref().ok()?.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests;
