//! JSON values, as the facade reads them.

/// A value. A number is kept as it was written, since most of them become text again.
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
    /// The members of an object in their order; names may occur more than once.
    Object(Vec<(String, Value)>),
}

/// A value as the framework reads one into a string; nothing for what is no text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
