//! Writes a message and all that it refers to as one proto file, with the comments of the contract.

use std::collections::BTreeSet;
use std::fmt::Write;

use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use prost_types::source_code_info::Location;

const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The comment of a value of an enum, in one line.
pub(super) fn value_comment(pool: &DescriptorPool, enumeration: &str, number: i32) -> String {
    let enumeration = pool.get_enum_by_name(enumeration).unwrap();
    let value = enumeration.get_value(number).unwrap();
    comment(&enumeration.parent_file(), value.path()).join(" ")
}

/// A proto file with the message and all types that it refers to.
pub(super) fn file_of(pool: &DescriptorPool, message: &str) -> String {
    let root = pool.get_message_by_name(message).unwrap();
    let package = root.package_name().to_owned();
    let mut names = BTreeSet::new();
    collect(&root, &mut names);
    let mut text = format!("syntax = \"proto3\";\n\npackage {package};\n");
    if names.contains(TIMESTAMP) {
        text.push_str("\nimport \"google/protobuf/timestamp.proto\";\n");
    }
    write_message(&mut text, &root);
    for file in pool.files().filter(|file| file.package_name() == package) {
        for message in file.messages().filter(|message| *message != root && names.contains(message.full_name())) {
            write_message(&mut text, &message);
        }
        for enumeration in file.enums().filter(|enumeration| names.contains(enumeration.full_name())) {
            write_enum(&mut text, &enumeration);
        }
    }
    text
}

fn collect(message: &MessageDescriptor, names: &mut BTreeSet<String>) {
    if !names.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        match field.kind() {
            Kind::Message(message) => collect(&message, names),
            Kind::Enum(enumeration) => {
                names.insert(enumeration.full_name().to_owned());
            }
            _ => {}
        }
    }
}

fn write_message(text: &mut String, message: &MessageDescriptor) {
    let file = message.parent_file();
    text.push('\n');
    write_comment(text, "", &comment(&file, message.path()));
    writeln!(text, "message {} {{", message.name()).unwrap();
    let mut open = None;
    for field in message.fields() {
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        if open != oneof {
            if open.is_some() {
                text.push_str("  }\n");
            }
            if let Some(oneof) = &oneof {
                write_comment(text, "  ", &comment(&file, oneof.path()));
                writeln!(text, "  oneof {} {{", oneof.name()).unwrap();
            }
            open = oneof;
        }
        let indent = if open.is_some() { "    " } else { "  " };
        write_comment(text, indent, &comment(&file, field.path()));
        writeln!(text, "{indent}{}{} {} = {};", label(&field), kind(&field), field.name(), field.number()).unwrap();
    }
    if open.is_some() {
        text.push_str("  }\n");
    }
    text.push_str("}\n");
}

fn write_enum(text: &mut String, enumeration: &EnumDescriptor) {
    let file = enumeration.parent_file();
    text.push('\n');
    write_comment(text, "", &comment(&file, enumeration.path()));
    writeln!(text, "enum {} {{", enumeration.name()).unwrap();
    for value in enumeration.values() {
        write_comment(text, "  ", &comment(&file, value.path()));
        writeln!(text, "  {} = {};", value.name(), value.number()).unwrap();
    }
    text.push_str("}\n");
}

fn label(field: &FieldDescriptor) -> &'static str {
    if field.is_list() {
        "repeated "
    } else if field.field_descriptor_proto().proto3_optional() {
        "optional "
    } else {
        ""
    }
}

fn kind(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(message) if message.full_name() == TIMESTAMP => TIMESTAMP.to_owned(),
        Kind::Message(message) => message.name().to_owned(),
        Kind::Enum(enumeration) => enumeration.name().to_owned(),
        scalar => format!("{scalar:?}"),
    }
}

fn write_comment(text: &mut String, indent: &str, lines: &[String]) {
    for line in lines {
        writeln!(text, "{}", format!("{indent}// {line}").trim_end()).unwrap();
    }
}

/// The lines of the comment above an element.
fn comment(file: &FileDescriptor, path: &[i32]) -> Vec<String> {
    let info = file.file_descriptor_proto().source_code_info.as_ref().unwrap();
    let location = info.location.iter().find(|location| location.path == path);
    let text = location.map(Location::leading_comments).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}
