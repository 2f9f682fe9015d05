//! Small validated values that a request carries.

use serde::{Deserialize, Serialize};

use super::{FieldViolation, Refusal};

/// Text given with a request or a step: at most [`Comment::MAX_CHARS`] characters, no NUL (Postgres cannot keep one).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Comment(String);

impl Comment {
    /// Longest comment, in characters. The SQL interface of MIM CM kept 256; its REST interface names no limit.
    pub const MAX_CHARS: usize = 4_000;

    /// Checks a comment that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, if the text is too long or contains U+0000.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, Refusal> {
        text_within(field, text.into(), Self::MAX_CHARS).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Urgency of a request: 0 comes first, 255 last (a .NET byte in MIM CM).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub u8);

/// A data item of a request: a name and, once somebody has delivered it, a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataItem {
    name: String,
    value: Option<String>,
}

impl DataItem {
    /// Longest name, in characters.
    pub const MAX_NAME_CHARS: usize = 256;
    /// Longest value, in characters.
    pub const MAX_VALUE_CHARS: usize = 16_000;
    /// Most items that one request can hold.
    pub const MAX_ITEMS: usize = 200;

    /// Checks a data item that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, if the name is empty, or name or value are too long or contain U+0000.
    pub fn parse(field: &str, name: impl Into<String>, value: Option<String>) -> Result<Self, Refusal> {
        let name = text_within(&format!("{field}.name"), name.into(), Self::MAX_NAME_CHARS)?;
        if name.is_empty() {
            return Err(Refusal::invalid(format!("{field}.name"), "must not be empty"));
        }
        let value =
            value.map(|value| text_within(&format!("{field}.value"), value, Self::MAX_VALUE_CHARS)).transpose()?;
        Ok(Self { name, value })
    }

    /// An item that is asked for and not delivered yet.
    #[must_use]
    pub fn open(name: &str) -> Self {
        Self { name: name.to_owned(), value: None }
    }

    /// The name as first given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, if delivered.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Whether the item has this name; MIM CM does not regard case.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }
}

/// Merges what was delivered into what is there: by name, the new value wins, new names come last.
///
/// # Errors
/// [`Refusal::Invalid`] on `field`, if a name occurs twice in `delivered` or the request would hold too many items.
pub fn merge_items(field: &str, items: &[DataItem], delivered: &[DataItem]) -> Result<Vec<DataItem>, Refusal> {
    let mut merged = items.to_vec();
    for (index, item) in delivered.iter().enumerate() {
        if delivered[..index].iter().any(|earlier| earlier.is_named(item.name())) {
            return Err(Refusal::invalid(
                format!("{field}[{index}].name"),
                format!("{:?} is given twice", item.name()),
            ));
        }
        match merged.iter_mut().find(|existing| existing.is_named(item.name())) {
            Some(existing) => existing.value.clone_from(&item.value),
            None => merged.push(item.clone()),
        }
    }
    if merged.len() > DataItem::MAX_ITEMS {
        return Err(Refusal::invalid(field, format!("a request holds at most {} items", DataItem::MAX_ITEMS)));
    }
    Ok(merged)
}

fn text_within(field: &str, text: String, max_chars: usize) -> Result<String, Refusal> {
    let problem = if text.contains('\0') {
        "must not contain U+0000".to_owned()
    } else if text.chars().nth(max_chars).is_some() {
        format!("must have at most {max_chars} characters")
    } else {
        return Ok(text);
    };
    Err(Refusal::Invalid(vec![FieldViolation { field: field.to_owned(), problem }]))
}
