//! `docs/log.md` agrees with the JSON lines of a real process, and `log.sample` selects successful calls.

use std::collections::{BTreeMap, BTreeSet};

use cmgate::contract::v1::GetRequestRequest;
use serde_json::{Map, Value, json};

use super::page::{block, read, section, table};
use crate::support::client::{CARDS, Http, create, creation, enrollment};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::servers::Share;

const JSON: (&str, &str) = ("CMGATE__LOG__FORMAT", "json");
const CORRELATION: &str = "order-17/step:1";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// Limit on the line of a successful call with a correlation id of the service.
const CALL_LINE_BYTES: usize = 250;

/// The fields of one table of the page: name, type, and whether the field is always present.
type Fields = BTreeMap<String, (String, bool)>;

/// The tables of the page.
struct Schema {
    every: Fields,
    call: Fields,
    last: Fields,
    other: Fields,
}

impl Schema {
    fn read() -> Self {
        let page = read("docs/log.md");
        let fields = |heading: &str| -> Fields {
            let field = |row: Vec<String>| {
                assert!(["always", "optional"].contains(&row[1].as_str()), "{row:?}");
                (row[0].clone(), (row[2].clone(), row[1] == "always"))
            };
            table(section(&page, heading)).into_iter().map(field).collect()
        };
        Self {
            every: fields("## Every line"),
            call: fields("## Lines of a call"),
            last: fields("## The last line of a call"),
            other: fields("## Other lines"),
        }
    }

    /// Checks a line against the page, notes its documented fields in `seen`, and returns its object.
    fn check(&self, line: &str, seen: &mut BTreeSet<String>) -> Map<String, Value> {
        let Ok(Value::Object(object)) = serde_json::from_str(line) else { panic!("no JSON object: {line}") };
        let is_last = object.contains_key("code");
        let is_grave = object["level"] == "WARN" || object["level"] == "ERROR";
        let mut documented = self.every.clone();
        if is_last || object.contains_key("id") {
            documented.extend(self.call.clone());
        }
        if is_last {
            documented.extend(self.last.clone());
        } else {
            documented.extend(self.other.clone());
        }
        if is_last && is_grave {
            documented.extend(["instance", "version"].map(|name| (name.to_owned(), self.other[name].clone())));
        }
        for (name, (kind, is_always)) in &documented {
            let Some(value) = object.get(name) else {
                assert!(!is_always, "{name} is missing: {line}");
                continue;
            };
            assert_eq!(kind_of(value), kind, "{name}: {line}");
            seen.insert(name.clone());
        }
        assert!(object.values().all(|value| !value.is_object() && !value.is_array()), "{line}");
        let has_more = object.keys().any(|name| !documented.contains_key(name));
        assert!(!is_last || !has_more, "undocumented fields: {line}");
        object
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Null | Value::Array(_) | Value::Object(_) => "other",
    }
}

/// The last lines of the calls of a method.
fn last_lines(instance: &Instance, method: &str) -> Vec<Map<String, Value>> {
    let log = instance.log();
    let objects = log.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap());
    objects.filter(|line| line.contains_key("code") && line["method"] == method).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_are_as_the_page_says() {
    let _servers = Share::take();
    let env = TestEnv::sqlite();
    let instance = env.start_with(&[JSON, ("CMGATE__LOG__INSTANCE", "node-1")]);
    let mut client = instance.client();

    let mut call = tonic::Request::new(creation(enrollment(CARDS)));
    call.get_mut().idempotency_key = "one".to_owned();
    call.metadata_mut().insert("x-correlation-id", CORRELATION.parse().unwrap());
    call.metadata_mut().insert("traceparent", format!("00-{TRACE_ID}-00f067aa0ba902b7-01").parse().unwrap());
    let created = client.create_request(call).await.unwrap().into_inner().request.unwrap();
    create(&mut client, enrollment(CARDS)).await;
    client.get_request(GetRequestRequest { id: "?".to_owned() }).await.unwrap_err();
    assert_eq!(Http::public(&instance).get("/nowhere").await.status, 404);
    instance.wait_until_published(2).await;

    let (schema, mut seen) = (Schema::read(), BTreeSet::new());
    let log = instance.log();
    for line in log.lines() {
        let object = schema.check(line, &mut seen);
        let is_success = object.get("code").is_some_and(|code| code == "OK") && !object.contains_key("trace");
        assert!(!is_success || line.len() < CALL_LINE_BYTES, "{} bytes: {line}", line.len());
        assert!(object.get("instance").is_none_or(|instance| instance == "node-1"), "{line}");
    }
    let documented: BTreeSet<String> = [&schema.every, &schema.call, &schema.last, &schema.other]
        .into_iter()
        .flat_map(BTreeMap::keys)
        .cloned()
        .collect();
    assert_eq!(seen, documented, "each field of the page occurs");

    let answered = last_lines(&instance, "CreateRequest");
    assert_eq!(answered.len(), 2, "{answered:?}");
    let facts = ["id", "trace", "code", "request", "key"].map(|name| answered[0][name].clone());
    assert_eq!(Value::from(facts.to_vec()), json!([CORRELATION, TRACE_ID, "OK", created.id, true]));
    assert!(!answered[1].contains_key("key") && !answered[1].contains_key("trace"), "{answered:?}");
    let refused = last_lines(&instance, "GetRequest");
    assert_eq!((&refused[0]["code"], &refused[0]["reason"]), (&json!("INVALID_ARGUMENT"), &json!("INVALID_FIELD")));
}

#[test]
fn the_examples_of_the_page_fit_its_tables() {
    let (schema, page) = (Schema::read(), read("docs/log.md"));
    let examples: Vec<&str> = block(section(&page, "## Examples"), "json").trim().lines().collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        schema.check(example, &mut BTreeSet::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_the_successful_calls_and_every_failed_one_is_logged() {
    let _servers = Share::take();
    for (sample, logged) in [("3", 3), ("0", 0)] {
        let env = TestEnv::sqlite();
        let instance = env.start_with(&[JSON, ("CMGATE__LOG__SAMPLE", sample)]);
        let mut client = instance.client();
        for _ in 0..7 {
            create(&mut client, enrollment(CARDS)).await;
            client.get_request(GetRequestRequest { id: "?".to_owned() }).await.unwrap_err();
        }
        assert_eq!(last_lines(&instance, "CreateRequest").len(), logged, "log.sample = {sample}");
        assert_eq!(last_lines(&instance, "GetRequest").len(), 7, "failed calls are always logged");
    }
}
