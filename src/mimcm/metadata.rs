//! Metadata that .NET serialisers add to JSON objects: types and references by Json.NET, types by
//! `DataContractJsonSerializer` and `JavaScriptSerializer`. It is never data.

use super::value::Value;

/// Members that name the type of an object, which the facade ignores.
const TYPES: [&str; 2] = ["$type", "__type"];
/// Members that assign an id to an object and refer to such an object.
const REFERENCES: [&str; 2] = ["$id", "$ref"];
/// Members that hold the content of a wrapper: the elements of a collection, or a single value.
const CONTENTS: [&str; 2] = ["$values", "$value"];

/// The value of an object without metadata: the content of a wrapper, otherwise the object without its type.
pub(super) fn strip(mut members: Vec<(String, Value)>) -> Value {
    let is_wrapper = members.iter().all(|(name, _)| is_metadata(name));
    let contents = members.iter().rposition(|(name, _)| CONTENTS.contains(&name.as_str()));
    if let Some(place) = contents.filter(|_| is_wrapper) {
        return members.swap_remove(place).1;
    }
    members.retain(|(name, _)| !TYPES.contains(&name.as_str()));
    Value::Object(members)
}

/// The members of a stripped object that are data.
pub(super) fn data_members(members: &[(String, Value)]) -> Vec<(&str, &Value)> {
    let data = members.iter().filter(|(name, _)| !REFERENCES.contains(&name.as_str()));
    data.map(|(name, value)| (name.as_str(), value)).collect()
}

/// The id by which other objects refer to this one.
pub(super) fn id(members: &[(String, Value)]) -> Option<&str> {
    text(members, "$id")
}

/// The id of the object that this one refers to.
pub(super) fn reference(members: &[(String, Value)]) -> Option<&str> {
    text(members, "$ref")
}

fn text<'a>(members: &'a [(String, Value)], wanted: &str) -> Option<&'a str> {
    members.iter().rev().find_map(|(name, value)| match value {
        Value::String(text) | Value::Number(text) if name == wanted => Some(text.as_str()),
        _ => None,
    })
}

fn is_metadata(name: &str) -> bool {
    [TYPES, REFERENCES, CONTENTS].iter().any(|names| names.contains(&name))
}
