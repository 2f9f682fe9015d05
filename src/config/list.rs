//! Lists of settings: a TOML array, or one text whose parts are separated by commas, as environment variables need.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{Invalid, require};
use super::setting::{self, Setting};

/// Settings in the order of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T = String>(pub Vec<T>);

/// Maximum number of texts in a list.
const MAX_TEXTS: usize = 64;
/// Maximum length of a text, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;

impl List {
    /// Checks the number and the length of the texts of the list at `key`.
    pub(super) fn check(&self, key: &str) -> Result<(), Invalid> {
        require(self.0.len() <= MAX_TEXTS, key.to_owned(), format!("must contain at most {MAX_TEXTS} texts"))?;
        let is_valid =
            |text: &String| (1..=MAX_TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        let problem = format!("must contain texts of 1 to {MAX_TEXT_BYTES} bytes without control characters");
        require(self.0.iter().all(is_valid), key.to_owned(), problem)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Setting> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Setting::write))
    }
}

impl<'de, T: Setting> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Setting> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list, each item {}", T::EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<List<T>, A::Error> {
        #[derive(Deserialize)]
        #[serde(bound = "")]
        struct Item<T: Setting>(#[serde(deserialize_with = "setting::deserialize")] T);

        let mut items = Vec::new();
        while let Some(Item(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(List(items))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(setting::read).collect::<Result<_, _>>().map(List)
    }
}
