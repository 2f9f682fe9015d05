//! The data collection of a create call, in the shapes that the documents show.

use super::body::{Violations, text_of};
use super::json::{self, Value};
use crate::domain::DataItem;

/// Property of the body, in errors.
const FIELD: &str = "datacollection";

/// Reads the items of a collection: an array, or a string that holds one; nothing and the empty string are empty.
pub(super) fn read(value: &Value, violations: &mut Violations) -> Vec<DataItem> {
    match value {
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        Value::String(text) => match json::read(text) {
            Ok(parsed) => array(&parsed, violations),
            Err(error) => {
                violations.add(FIELD, format!("is a string that must hold a JSON array, but has {error}"));
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
    for (index, element) in elements.iter().enumerate() {
        let field = format!("{FIELD}[{index}]");
        let Value::Object(members) = element else {
            violations.add(field, "must be an object");
            continue;
        };
        if index >= DataItem::MAX_ITEMS || items.len() + members.len() > DataItem::MAX_ITEMS {
            violations.add(FIELD, format!("must hold at most {} items", DataItem::MAX_ITEMS));
            break;
        }
        if let Some((name, value)) = as_named_value(members) {
            items.extend(item(&field, text_of(name), value, violations));
            continue;
        }
        for (place, (name, value)) in members.iter().enumerate() {
            let is_replaced = members[place + 1..].iter().any(|(later, _)| later == name);
            if !is_replaced {
                items.extend(item(&field, Some(name.clone()), value, violations));
            }
        }
    }
    items
}

/// The shape `{"Name": ..., "Value": ...}` of the answers. A lone `{"name": "pavle"}` is an item called `name`.
fn as_named_value(members: &[(String, Value)]) -> Option<(&Value, &Value)> {
    let [(first, one), (second, other)] = members else { return None };
    let is = |name: &str, expected| name.eq_ignore_ascii_case(expected);
    if is(first, "name") && is(second, "value") {
        Some((one, other))
    } else if is(first, "value") && is(second, "name") {
        Some((other, one))
    } else {
        None
    }
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
