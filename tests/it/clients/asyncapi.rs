//! `docs/asyncapi.yaml` is generated: types and comments from the contract, headers from `docs/consuming.md`.

use std::fmt::Write;

use cmgate::contract;
use cmgate::contract::DESCRIPTORS;
use cmgate::domain::EventType;
use prost_reflect::DescriptorPool;

use super::page::{assert_golden, read, section, table};
use super::proto_text;

#[test]
fn the_asyncapi_file_is_up_to_date() {
    assert_golden("docs/asyncapi.yaml", &document());
}

fn document() -> String {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let page = read("docs/consuming.md");
    let mut yaml = HEAD.to_owned();
    for kind in EventType::ALL {
        let name = message_name(kind);
        writeln!(yaml, "      {name}: {{$ref: '#/components/messages/{name}'}}").unwrap();
    }
    yaml.push_str(OPERATIONS);
    for kind in EventType::ALL {
        let number = contract::event_type(kind).into();
        let summary = proto_text::value_comment(&pool, "cmgate.v1.RequestEventType", number);
        let text = MESSAGE.replace("NAME", message_name(kind)).replace("TYPE", kind.name());
        yaml.push_str(&text.replace("SUMMARY", &quoted(&summary)));
    }
    yaml.push_str("  schemas:\n    headers:\n      type: object\n      required:\n");
    let headers = table(section(&page, "## Headers"));
    for header in headers.iter().filter(|header| header[1] == "always") {
        writeln!(yaml, "        - {}", header[0]).unwrap();
    }
    yaml.push_str("      properties:\n");
    for header in &headers {
        let description = header[2].split(", see [").next().unwrap().replace('`', "");
        writeln!(yaml, "        {}: {{type: string, description: {}}}", header[0], quoted(&description)).unwrap();
    }
    yaml.push_str(
        "    requestEvent:\n      schemaFormat: application/vnd.google.protobuf;version=3\n      schema: |\n",
    );
    for line in proto_text::file_of(&pool, "cmgate.v1.RequestEvent").lines() {
        writeln!(yaml, "{}", format!("        {line}").trim_end()).unwrap();
    }
    yaml
}

/// The name of a message in the document: the action in `ce_type`, such as `created`.
fn message_name(kind: EventType) -> &'static str {
    kind.name().strip_prefix("cmgate.request.").and_then(|name| name.strip_suffix(".v1")).unwrap()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

const HEAD: &str = "\
# Generated from proto/cmgate/v1 and docs/consuming.md by a test; CMGATE_WRITE_GOLDEN=1 rewrites it.
asyncapi: 3.0.0
info:
  title: cmgate life-cycle events
  version: '1'
  description: Every acknowledged change of a request, exactly once and in order per request. docs/consuming.md explains how to read it.
  license: {name: Apache-2.0}
defaultContentType: application/protobuf
channels:
  requestEvents:
    address: cmgate.requests.events.v1
    description: The topic. Its name and the number of its partitions are settings of the service; these are the defaults.
    bindings:
      kafka:
        topic: cmgate.requests.events.v1
        partitions: 8
        topicConfiguration:
          cleanup.policy: [delete]
        bindingVersion: 0.5.0
    messages:
";

const OPERATIONS: &str = "\
operations:
  publishRequestEvents:
    action: send
    channel: {$ref: '#/channels/requestEvents'}
    summary: cmgate publishes an event for each change of a request.
components:
  messages:
";

const MESSAGE: &str = "    NAME:
      name: TYPE
      summary: SUMMARY
      contentType: application/protobuf
      headers:
        allOf:
          - $ref: '#/components/schemas/headers'
          - type: object
            properties:
              ce_type: {const: TYPE}
      payload: {$ref: '#/components/schemas/requestEvent'}
      bindings:
        kafka:
          key: {type: string, format: uuid, description: Id of the request.}
          bindingVersion: 0.5.0
";
