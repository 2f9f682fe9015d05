//! The settings of a cluster that a fenced publisher rests on: how long the brokers remember a fence, and idle connections.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::report::Finding;
use super::number;
use crate::relay::kafka::{ClusterReport, KafkaSettings, LONGEST_FENCE};
use crate::store::Publishing;

const SUBJECT: &str = "kafka fence";

/// How long a broker has to remember a fence: longer than any session relies on it.
const MIN_MEMORY: Duration = LONGEST_FENCE.saturating_add(Duration::from_hours(1));
/// The client is silent for three minutes at most.
const MIN_IDLE: Duration = Duration::from_mins(4);
/// The relay takes a producer whose id was replaced for gone after twice this time.
const MAX_IDLE: Duration = Duration::from_mins(12);

/// Judges a cluster for `kafka.publish = "fenced"`.
pub(super) fn judge(report: &ClusterReport, kafka: &KafkaSettings) -> Vec<Finding> {
    if kafka.publishing != Publishing::Fenced {
        return Vec::new();
    }
    let mut findings = Vec::new();
    match &report.broker_settings {
        Ok(_) => findings.extend(brokers(&report.broker_settings)),
        Err(why) => {
            let text = format!("the settings of the brokers cannot be read: {why}");
            findings.push(Finding::skipped(SUBJECT, text));
        }
    }
    if let Some(topic) = &report.topic {
        findings.extend(self::topic(&topic.settings));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(SUBJECT, "the brokers remember it for longer than it is relied on"));
    }
    findings
}

fn brokers(settings: &Result<BTreeMap<String, String>, String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["producer.id.expiration.ms", "transactional.id.expiration.ms"] {
        if let Some(memory) = millis(settings, name).filter(|memory| *memory < MIN_MEMORY) {
            let text = format!("{name} of the brokers is {memory:?}: a fence may be forgotten while it is relied on");
            let advice = format!("raise it to at least {} h", MIN_MEMORY.as_secs() / 3_600);
            findings.push(Finding::fault(SUBJECT, text, &advice));
        }
    }
    match millis(settings, "connections.max.idle.ms") {
        Some(idle) if idle < MIN_IDLE => {
            let text = format!("connections.max.idle.ms of the brokers is {idle:?}: an idle relay loses its fence");
            findings.push(Finding::warning(SUBJECT, text, "raise it; 10 minutes are Kafka's default"));
        }
        Some(idle) if idle > MAX_IDLE => {
            let text = format!(
                "connections.max.idle.ms of the brokers is {idle:?}: after the cluster replaces a producer id, a stopped process \
                 could keep its connection for longer than the relay waits"
            );
            findings.push(Finding::warning(SUBJECT, text, "lower it; 10 minutes are Kafka's default"));
        }
        Some(_) | None => {}
    }
    findings
}

fn topic(settings: &Result<BTreeMap<String, String>, String>) -> Option<Finding> {
    let unclean = settings.as_ref().ok()?.get("unclean.leader.election.enable")?;
    (unclean == "true").then(|| {
        let text = "unclean.leader.election.enable is true: a leader that lacks the fence lets two processes publish";
        Finding::fault(SUBJECT, text, "set unclean.leader.election.enable = false on the topic")
    })
}

/// A time in milliseconds; `None` if it is unknown, or negative, which means no limit.
fn millis(settings: &Result<BTreeMap<String, String>, String>, name: &str) -> Option<Duration> {
    u64::try_from(number(settings, name)?).ok().map(Duration::from_millis)
}
