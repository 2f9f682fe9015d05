//! `docs/consuming.md` agrees with the records of a real topic and with the types of the contract.

use std::collections::BTreeSet;

use cmgate::contract;
use cmgate::contract::v1::{
    ApproveRequestRequest, BindSmartcardRequest, CancelRequestRequest, CompleteRequestRequest, DenyRequestRequest,
    FailRequestRequest, RequestEvent, StartRequestRequest,
};
use cmgate::domain::EventType;
use prost::Message;

use super::page::{read, section, table};
use crate::audit::TopicRecord;
use crate::support::client::{CARDS, JUDGE, PROFILES, creation, enrollment, sent_by};
use crate::support::env::TestEnv;
use crate::support::kafka::read_committed;
use crate::support::servers::Share;

const CORRELATION: &str = "order-17/step:1";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACESTATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";

/// A topic with events of many types, whose service has ended.
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) records: Vec<TopicRecord>,
    _servers: Share,
}

impl Topic {
    /// Processes some requests; one of their partitions has at least three events.
    pub(super) async fn of_some_events() -> Self {
        let servers = Share::take();
        let env = TestEnv::sqlite();
        let instance = env.start();
        let mut client = instance.client();
        let mut create = async |template: &str| {
            let mut call = tonic::Request::new(creation(enrollment(template)));
            for (name, value) in
                [("x-correlation-id", CORRELATION), ("traceparent", TRACEPARENT), ("tracestate", TRACESTATE)]
            {
                call.metadata_mut().insert(name, value.parse().unwrap());
            }
            client.create_request(call).await.unwrap().into_inner().request.unwrap().id
        };
        let [approved, denied, canceled] = [create(PROFILES).await, create(PROFILES).await, create(PROFILES).await];
        let [bound, failed] = [create(CARDS).await, create(CARDS).await];

        let message = ApproveRequestRequest { id: approved.clone(), ..ApproveRequestRequest::default() };
        client.approve_request(sent_by(JUDGE, message)).await.unwrap();
        client.start_request(StartRequestRequest { id: approved.clone(), ..Default::default() }).await.unwrap();
        client.complete_request(CompleteRequestRequest { id: approved, ..Default::default() }).await.unwrap();
        let message = DenyRequestRequest { id: denied, ..DenyRequestRequest::default() };
        client.deny_request(sent_by(JUDGE, message)).await.unwrap();
        client.cancel_request(CancelRequestRequest { id: canceled, ..Default::default() }).await.unwrap();
        let message = BindSmartcardRequest { id: bound, serial_number: "0001".to_owned(), ..Default::default() };
        client.bind_smartcard(message).await.unwrap();
        let message = FailRequestRequest { id: failed, comment: "no card".to_owned(), ..Default::default() };
        client.fail_request(message).await.unwrap();

        instance.wait_until_published(12).await;
        instance.end().await;
        let records = read_committed(&env.topic).await;
        assert_eq!(records.len(), 12);
        Self { name: env.topic, records, _servers: servers }
    }
}

/// The text of a header of a record; `None` if it has none or several of this name.
pub(super) fn header<'r>(record: &'r TopicRecord, name: &str) -> Option<&'r str> {
    let mut found = record.headers.iter().filter(|(header, _)| header == name);
    let (_, value) = found.next()?;
    found.next().is_none().then(|| std::str::from_utf8(value).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn records_have_the_headers_of_the_page() {
    let page = read("docs/consuming.md");
    let rows = table(section(&page, "## Headers"));
    let with = |presence: &str| -> BTreeSet<&str> {
        rows.iter().filter(|row| row[1] == presence).map(|row| row[0].as_str()).collect()
    };
    let (always, optional) = (with("always"), with("optional"));
    assert_eq!(always.len() + optional.len(), rows.len());

    let topic = Topic::of_some_events().await;
    for record in &topic.records {
        let names: BTreeSet<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), record.headers.len(), "no header occurs twice: {record:?}");
        assert!(names.is_superset(&always), "{names:?}");
        assert_eq!(names.difference(&always).filter(|name| !optional.contains(*name)).count(), 0, "{names:?}");

        let event = RequestEvent::decode(record.value.as_slice()).unwrap();
        let (request, at) = (event.request.as_ref().unwrap(), event.time.as_ref().unwrap());
        let at = chrono::DateTime::from_timestamp(at.seconds, at.nanos.cast_unsigned()).unwrap();
        let kind = event.r#type().as_str_name();
        let kind = table(section(&page, "## Types")).into_iter().find(|row| row[1] == kind).unwrap()[0].clone();
        for (name, expected) in [
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", format!("{}-{}", record.partition, event.position)),
            ("ce_source", "/cmgate".to_owned()),
            ("ce_type", kind),
            ("ce_subject", request.id.clone()),
            ("ce_time", at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
            ("content-type", "application/protobuf".to_owned()),
            ("x-shard", record.partition.to_string()),
            ("x-pos", event.position.to_string()),
            ("x-request-version", request.version.to_string()),
        ] {
            assert_eq!(header(record, name), Some(expected.as_str()), "{name}");
        }
        assert_eq!(record.key, request.id.as_bytes());
        assert_eq!(u32::from(record.partition), event.shard);
    }
    for (name, value) in [("ce_correlationid", CORRELATION), ("traceparent", TRACEPARENT), ("tracestate", TRACESTATE)] {
        let values: Vec<&str> = topic.records.iter().filter_map(|record| header(record, name)).collect();
        assert_eq!(values, [value; 5], "the creates sent {name}, the other calls did not");
    }
}

#[test]
fn the_page_has_the_types_of_the_contract() {
    let page = read("docs/consuming.md");
    let listed: Vec<(String, String)> =
        table(section(&page, "## Types")).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let types =
        EventType::ALL.map(|kind| (kind.name().to_owned(), contract::event_type(kind).as_str_name().to_owned()));
    assert_eq!(listed, types);
}

#[test]
fn the_page_has_the_defaults_of_the_configuration() {
    let page = read("docs/consuming.md");
    let example = read("deploy/config.example.toml");
    for (key, row) in [("topic", "name"), ("partitions", "partitions")] {
        let prefix = format!("#{key} = ");
        let default = example.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap().trim_matches('"');
        let rows = table(section(&page, "## The topic"));
        let value = &rows.iter().find(|cells| cells[0] == row).unwrap()[1];
        assert!(value.contains(default), "{row}: {default} in {value}");
    }
}
