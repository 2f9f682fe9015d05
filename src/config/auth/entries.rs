//! Lists of tables, such as `[[auth.jwt]]`. Environment variables number the entries: `CMGATE__AUTH__JWT__0__NAME`.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};

use super::super::error::{Invalid, require};

/// Reads a list of tables, or a table whose keys are 0, 1, 2, and so on.
pub(in super::super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(EntriesVisitor(PhantomData))
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for EntriesVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tables")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = sequence.next_element()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut numbered: Vec<(usize, T)> = Vec::new();
        while let Some(number) = map.next_key::<String>()? {
            let number: usize = number
                .parse()
                .map_err(|_| A::Error::custom(format_args!("must number its entries from 0, not {number:?}")))?;
            numbered.push((number, map.next_value()?));
        }
        numbered.sort_by_key(|(number, _)| *number);
        if let Some(gap) = (0..).zip(&numbered).find_map(|(index, (number, _))| (index != *number).then_some(index)) {
            return Err(A::Error::custom(format_args!(
                "must number its entries from 0 without gaps; {gap} is missing"
            )));
        }
        Ok(numbered.into_iter().map(|(_, entry)| entry).collect())
    }
}

/// Longest name of an entry, in bytes.
const MAX_NAME: usize = 64;

/// Checks that a name can be a part of an identity, `name~subject`, and a label of metrics.
pub(super) fn check_name(name: &str, key: String) -> Result<(), Invalid> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_valid = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain);
    let problem = format!("must be 1 to {MAX_NAME} letters, digits, dots, underscores and hyphens, not {name:?}");
    require(is_valid, key, problem)
}
