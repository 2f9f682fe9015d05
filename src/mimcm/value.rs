//! JSON values as the facade parses them.

/// A JSON value. Numbers keep their source text, since most of them are used as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `null`, or `undefined`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as written.
    Number(String),
    /// A string; a lone surrogate is read as U+FFFD.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// The members of an object in source order; names may repeat.
    Object(Vec<(String, Value)>),
}

/// A scalar as the framework binds it to a string; `None` for null, arrays and objects.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
