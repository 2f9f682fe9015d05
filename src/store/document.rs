//! Stored documents: a request, a credential, a template or a user as the JSON text in its row.
//!
//! The columns beside a document exist to be searched; the document is the truth. Each form is a type of its own, so a
//! change of a domain type does not change what is stored. `document/golden` holds the text of each form.

mod codes;
mod credential;
mod data_item;
mod policy;
mod request;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod user;
mod vocabulary;

use std::error::Error;

use super::StoreError;

pub(super) use codes::{
    SMARTCARD_NUMBER, credential_status_number, event_number, event_type, item_number, kind_number, status_number,
    user_status_number,
};

/// Why a stored text is not a document: it is not JSON of this form, or a value in it breaks a rule of the domain.
type Malformed = Box<dyn Error + Send + Sync>;

/// A value that a row holds as one document.
pub(super) trait Document: Sized {
    /// Writes the document.
    fn encode(&self) -> serde_json::Result<String>;

    /// Reads a document that any release since the form was introduced has written.
    fn decode(text: &str) -> Result<Self, Malformed>;
}

/// Writes the document of a row.
pub(super) fn write<T: Document>(
    table: &'static str,
    row: impl std::fmt::Display,
    value: &T,
) -> Result<String, StoreError> {
    value.encode().map_err(|error| StoreError::corrupt(table, row, error))
}

/// Reads the document of a row.
pub(super) fn read<T: Document>(table: &'static str, row: impl std::fmt::Display, text: &str) -> Result<T, StoreError> {
    T::decode(text).map_err(|error| StoreError::corrupt(table, row, error))
}

/// The version of a form. A document of another version belongs to another release and is refused instead of misread.
#[derive(Clone, Copy, Debug, Default)]
struct FormVersion<const N: u8>;

impl<const N: u8> serde::Serialize for FormVersion<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(N)
    }
}

impl<'de, const N: u8> serde::Deserialize<'de> for FormVersion<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = u8::deserialize(deserializer)?;
        if version == N {
            return Ok(Self);
        }
        Err(serde::de::Error::custom(format_args!("the form has version {version}; this release reads version {N}")))
    }
}

/// Whether a field has its default and is left out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
