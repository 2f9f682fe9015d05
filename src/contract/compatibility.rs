//! The contract keeps what clients and stored events depend on: a golden file lists every message, field, enum value and method of the
//! last release, and none may be lost. A release adds its elements with `CMGATE_WRITE_GOLDEN=1`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, MessageDescriptor, ServiceDescriptor};

use super::DESCRIPTORS;

/// Package of the contract.
const PACKAGE: &str = "cmgate.v1";

#[test]
fn nothing_of_the_contract_is_removed_renamed_renumbered_or_retyped() {
    let now = elements();
    let mut golden = golden();
    if std::env::var_os("CMGATE_WRITE_GOLDEN").is_some() {
        golden.extend(now.iter().cloned());
        let lines: Vec<&str> = golden.iter().map(String::as_str).collect();
        fs::write(path(), lines.join("\n") + "\n").unwrap();
    }
    let lost: Vec<_> = golden.difference(&now).collect();
    assert!(
        lost.is_empty(),
        "clients and stored events depend on these elements, restore them (before the first release, a line of {} may also be \
         deleted): {lost:#?}",
        path().display()
    );
}

#[test]
fn a_change_of_an_element_changes_its_line() {
    let lines = elements();
    for line in [
        "field cmgate.v1.Request.id = 1 string",
        "field cmgate.v1.Request.data_items = 12 repeated cmgate.v1.DataItem",
        "field cmgate.v1.DataItem.value = 2 optional string",
        "field cmgate.v1.Credential.profile = 1 oneof item cmgate.v1.Profile",
        "value cmgate.v1.RequestStatus.REQUEST_STATUS_PENDING = 1",
        "method cmgate.v1.RequestService.GetRequest (cmgate.v1.GetRequestRequest) returns (cmgate.v1.GetRequestResponse)",
        "option java_package of cmgate/v1/request.proto = cmgate.v1",
    ] {
        assert!(lines.contains(line), "{line}");
    }
}

fn golden() -> BTreeSet<String> {
    fs::read_to_string(path()).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract/compatibility/golden.txt")
}

/// One line for each element of the contract.
fn elements() -> BTreeSet<String> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let mut lines = BTreeSet::new();
    for file in pool.files().filter(|file| file.package_name() == PACKAGE) {
        let proto = file.file_descriptor_proto();
        let options = proto.options.clone().unwrap_or_default();
        for (name, value) in [
            ("csharp_namespace", options.csharp_namespace),
            ("go_package", options.go_package),
            ("java_multiple_files", options.java_multiple_files.map(|value| value.to_string())),
            ("java_outer_classname", options.java_outer_classname),
            ("java_package", options.java_package),
        ] {
            lines.insert(format!("option {name} of {} = {}", file.name(), value.unwrap_or_default()));
        }
        file.messages().for_each(|message| add_message(&mut lines, &message));
        file.enums().for_each(|enumeration| add_enum(&mut lines, &enumeration));
        file.services().for_each(|service| add_service(&mut lines, &service));
    }
    lines
}

fn add_message(lines: &mut BTreeSet<String>, message: &MessageDescriptor) {
    lines.insert(format!("message {}", message.full_name()));
    for field in message.fields() {
        let oneof = field.containing_oneof();
        let label = match (field.cardinality(), oneof) {
            (Cardinality::Repeated, _) => "repeated ".to_owned(),
            (_, Some(oneof)) if oneof.is_synthetic() => "optional ".to_owned(),
            (_, Some(oneof)) => format!("oneof {} ", oneof.name()),
            (_, None) => String::new(),
        };
        lines.insert(format!("field {} = {} {label}{:?}", field.full_name(), field.number(), field.kind()));
    }
    message.child_messages().for_each(|child| add_message(lines, &child));
    message.child_enums().for_each(|child| add_enum(lines, &child));
}

fn add_enum(lines: &mut BTreeSet<String>, enumeration: &EnumDescriptor) {
    lines.insert(format!("enum {}", enumeration.full_name()));
    for value in enumeration.values() {
        lines.insert(format!("value {}.{} = {}", enumeration.full_name(), value.name(), value.number()));
    }
}

fn add_service(lines: &mut BTreeSet<String>, service: &ServiceDescriptor) {
    lines.insert(format!("service {}", service.full_name()));
    for method in service.methods() {
        let stream = |is_streaming: bool| if is_streaming { "stream " } else { "" };
        lines.insert(format!(
            "method {} ({}{}) returns ({}{})",
            method.full_name(),
            stream(method.is_client_streaming()),
            method.input().full_name(),
            stream(method.is_server_streaming()),
            method.output().full_name()
        ));
    }
}
