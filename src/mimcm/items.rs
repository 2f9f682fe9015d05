//! Reads the data collection of a create call, in the documented shapes and those of .NET serialisers.

use std::collections::HashSet;

use super::value::{Value, text_of};
use super::{json, metadata};
use crate::domain::DataItem;
use crate::service::Violations;

/// Name of the property in error messages.
const FIELD: &str = "datacollection";

/// Reads the items of a collection: an array, or a string that holds one. Null and a blank string are empty collections.
pub(super) fn read(value: &Value, violations: &mut Violations) -> Vec<DataItem> {
    match value {
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        Value::String(text) => match json::read(text) {
            Ok(parsed) => array(&parsed, violations),
            Err(error) => {
                violations.add(FIELD, format!("is a string that must hold a JSON array: {error}"));
                Vec::new()
            }
        },
        other => array(other, violations),
    }
}

fn array(value: &Value, violations: &mut Violations) -> Vec<DataItem> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(elements) => items(elements, violations),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            violations.add(FIELD, "must be an array of objects, or a string that holds one");
            Vec::new()
        }
    }
}

fn items(elements: &[Value], violations: &mut Violations) -> Vec<DataItem> {
    let mut items = Vec::new();
    let mut ids = HashSet::new();
    for (index, element) in elements.iter().enumerate() {
        let field = format!("{FIELD}[{index}]");
        let pairs = match element {
            _ if index >= DataItem::MAX_ITEMS => None,
            Value::Object(members) => {
                let data = metadata::data_members(members);
                if let Some(reference) = metadata::reference(members).filter(|_| data.is_empty()) {
                    // The element repeats an earlier one, so it adds no item.
                    if !ids.contains(reference) {
                        violations.add(format!("{field}.$ref"), "must be the $id of an earlier element");
                    }
                    continue;
                }
                ids.extend(metadata::id(members));
                pairs(&data)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                violations.add(field, "must be an object");
                continue;
            }
        };
        let Some(pairs) = pairs.filter(|pairs| items.len() + pairs.len() <= DataItem::MAX_ITEMS) else {
            violations.add(FIELD, format!("must hold at most {} items", DataItem::MAX_ITEMS));
            break;
        };
        items.extend(pairs.into_iter().filter_map(|(name, value)| item(&field, name, value, violations)));
    }
    items
}

/// The names and values in an object; `None` if it has more members than a request may have items. The last of equal names
/// wins.
fn pairs<'a>(members: &[(&str, &'a Value)]) -> Option<Vec<(Option<String>, &'a Value)>> {
    if let Some((name, value)) = as_named_value(members) {
        return Some(vec![(text_of(name), value)]);
    }
    if members.len() > DataItem::MAX_ITEMS {
        return None;
    }
    let is_last = |place: usize, name| members[place + 1..].iter().all(|(later, _)| *later != name);
    let kept = members.iter().enumerate().filter(|(place, (name, _))| is_last(*place, *name));
    Some(kept.map(|(_, (name, value))| (Some((*name).to_owned()), *value)).collect())
}

/// The name and value of an object that is one item: `{"Name": ..., "Value": ...}` as in answers, or
/// `{"Key": ..., "Value": ...}` as .NET serialises a pair. Other members are ignored. A lone `{"name": "pavle"}` is an item
/// called `name`.
fn as_named_value<'a>(members: &[(&str, &'a Value)]) -> Option<(&'a Value, &'a Value)> {
    let last = |wanted| members.iter().rfind(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
    Some((last("name").or_else(|| last("key"))?, last("value")?))
}

fn item(field: &str, name: Option<String>, value: &Value, violations: &mut Violations) -> Option<DataItem> {
    let text = text_of(value);
    if text.is_none() && *value != Value::Null {
        violations.add(format!("{field}.value"), "must be a string, a number, a boolean or null");
        return None;
    }
    let Some(name) = name else {
        violations.add(format!("{field}.name"), "must be a string");
        return None;
    };
    violations.keep(DataItem::parse(field, name, text))
}
