//! Members that serialisers of .NET add to objects: Json.NET for types and references, `DataContractJsonSerializer` and
//! `JavaScriptSerializer` for types. They are never data.

use super::json::Value;

/// Names that tell the type of an object; nothing here needs it.
const TYPES: [&str; 2] = ["$type", "__type"];
/// Names of the members that number an object and refer to one.
const REFERENCES: [&str; 2] = ["$id", "$ref"];
/// Names of the members that hold what a wrapper stands for: the elements of a collection, or a single value.
const CONTENTS: [&str; 2] = ["$values", "$value"];

/// What an object with these members stands for: its contents if it is a wrapper, otherwise the object without its type.
pub(super) fn without(mut members: Vec<(String, Value)>) -> Value {
    let is_wrapper = members.iter().all(|(name, _)| is_metadata(name));
    let contents = members.iter().rposition(|(name, _)| CONTENTS.contains(&name.as_str()));
    if let Some(place) = contents.filter(|_| is_wrapper) {
        return members.swap_remove(place).1;
    }
    members.retain(|(name, _)| !TYPES.contains(&name.as_str()));
    Value::Object(members)
}

/// The members that are data.
pub(super) fn data(members: &[(String, Value)]) -> Vec<(&str, &Value)> {
    let data = members.iter().filter(|(name, _)| !REFERENCES.contains(&name.as_str()));
    data.map(|(name, value)| (name.as_str(), value)).collect()
}

/// The number of an object that can be referred to.
pub(super) fn id(members: &[(String, Value)]) -> Option<&str> {
    text(members, "$id")
}

/// The number of the object that this one stands for.
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
