//! The consumers in `examples` read all events of a real topic, and stop at a gap.

use std::path::Path;
use std::process::Output;

use cmgate::contract::v1::RequestEvent;
use prost::Message;
use tokio::task::spawn_blocking;

use super::consuming::{Topic, header};
use super::language::{GO, JAVA, Language, PYTHON, program, run};
use crate::audit::TopicRecord;
use crate::support::kafka::{copy_records, make_topic, publish_foreign};
use crate::support::servers::{fresh_topic, kafka};

const CONSUMERS: [&Language; 3] = [&PYTHON, &GO, &JAVA];

#[tokio::test(flavor = "multi_thread")]
async fn consumers_print_every_event_once() {
    let topic = Topic::of_some_events().await;
    // The consumers must skip it.
    publish_foreign(&topic.name, 0).await;
    let mut expected: Vec<String> = topic.records.iter().map(line).collect();
    expected.sort();
    for language in CONSUMERS {
        let Some(output) = consume(language, &topic.name, expected.len()).await else { continue };
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut printed: Vec<&str> = printed.lines().collect();
        printed.sort_unstable();
        assert_eq!(printed, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_stop_at_a_gap_and_skip_repetitions() {
    let topic = Topic::of_some_events().await;
    let third = topic.records.iter().position(|record| header(record, "x-pos") == Some("3")).unwrap();
    // The records are in the order of partitions and positions.
    let lost = third - 1;
    let (partition, mut others) = (topic.records[lost].partition, topic.records.clone());
    others.remove(lost);
    // A repetition is no gap.
    others.insert(1, others[0].clone());
    let copy = fresh_topic();
    make_topic(&copy, 8).await;
    copy_records(&others, &copy).await;
    for language in CONSUMERS {
        let Some(output) = consume(language, &copy, others.len()).await else { continue };
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let message = format!("events are missing: partition {partition}: position 3 follows 1");
        assert!(String::from_utf8_lossy(&output.stderr).contains(&message), "{message}: {output:?}");
    }
}

/// Runs a consumer to its end; `None` if this machine lacks the tools of its language.
async fn consume(language: &'static Language, topic: &str, events: usize) -> Option<Output> {
    let arguments = [kafka(), topic.to_owned(), events.to_string()];
    let running = spawn_blocking(move || {
        let folder: &Path = language.build()?;
        let words = [program(language, "ConsumeEvents"), arguments.to_vec()].concat();
        Some(run(folder, &words.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    running.await.unwrap()
}

/// The line that a consumer prints about a record.
fn line(record: &TopicRecord) -> String {
    let event = RequestEvent::decode(record.value.as_slice()).unwrap();
    let request = event.request.unwrap();
    let (kind, status) = (header(record, "ce_type").unwrap(), request.status().as_str_name());
    format!("{} {} {kind} {} {} {status}", event.shard, event.position, request.id, request.version)
}
