//! JSON objects without the freedoms that parsers use differently: duplicate names, great depth, and NUL (RFC 8725, 2.6).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error as ThisError;

/// Deepest nesting; the object itself is the first level.
const MAX_DEPTH: usize = 16;

/// What is wrong with a JSON text. `Display` is the rest of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum Flaw {
    /// It is not a JSON object.
    #[error("is not a JSON object")]
    Syntax,
    /// An object has two members of one name.
    #[error("has a name twice in one object")]
    Duplicate,
    /// It is nested too deeply.
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// A text contains NUL, at which some libraries end it.
    #[error("contains a NUL character")]
    Nul,
}

/// Reads a JSON object.
pub(super) fn object(json: &[u8]) -> Result<Map<String, Value>, Flaw> {
    let flaw = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = Strict { depth: 1, flaw: &flaw }.deserialize(&mut reader);
    let whole = value.and_then(|value| reader.end().map(|()| value));
    match whole {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(flaw.get().unwrap_or(Flaw::Syntax)),
    }
}

/// Reads one value at some depth. The error type of the parser cannot carry a [`Flaw`], so it is kept beside.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    flaw: &'a Cell<Option<Flaw>>,
}

impl Strict<'_> {
    fn refuse<E: Error>(self, flaw: Flaw) -> E {
        self.flaw.set(Some(flaw));
        E::custom(flaw)
    }

    fn text<E: Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') { Err(self.refuse(Flaw::Nul)) } else { Ok(text) }
    }

    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth > MAX_DEPTH {
            return Err(self.refuse(Flaw::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.text(value.to_owned()).map(Value::String)
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(value) = values.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let name = self.text(name)?;
            if object.contains_key(&name) {
                return Err(self.refuse(Flaw::Duplicate));
            }
            object.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests;
