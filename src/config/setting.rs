//! A setting as an operator writes it: text, or a number or boolean that is read through its text.
//!
//! Environment variables are always text, so every setting must parse from text. All settings report a bad value in the same
//! form; the value of a secret is never part of it.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use crate::domain::{Principal, ShardCount, Sid, UserId};

/// A value that can be written as text and read back.
pub(super) trait Setting: Sized {
    /// Completes the sentence "must be ...".
    const EXPECTED: &'static str;
    /// Whether errors must not quote the value.
    const IS_SECRET: bool = false;

    /// Parses the text; `None` if it does not match.
    fn read(text: &str) -> Option<Self>;

    /// The text of the value, with secrets masked.
    fn write(&self) -> String;
}

/// Reads a setting; for `#[serde(with = "setting")]`.
pub(super) fn deserialize<'de, T: Setting, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(SettingVisitor(PhantomData))
}

/// Writes a setting with secrets masked; for `#[serde(with = "setting")]`.
pub(super) fn serialize<T: Setting, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.write())
}

/// Settings without a default; for `#[serde(with = "setting::optional")]`.
pub(super) mod optional {
    use serde::{Deserializer, Serializer};

    use super::Setting;

    /// Reads a setting that is present.
    pub(in super::super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: Setting,
        D: Deserializer<'de>,
    {
        super::deserialize(deserializer).map(Some)
    }

    /// Writes a setting, or nothing.
    #[expect(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(in super::super) fn serialize<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Setting,
        S: Serializer,
    {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// Reads a setting from its text.
pub(super) fn read<T: Setting, E: Error>(text: &str) -> Result<T, E> {
    T::read(text).ok_or_else(|| {
        let expected = T::EXPECTED;
        if T::IS_SECRET {
            E::custom(format_args!("must be {expected}"))
        } else {
            E::custom(format_args!("must be {expected}, not {text:?}"))
        }
    })
}

struct SettingVisitor<T>(PhantomData<T>);

impl<T: Setting> Visitor<'_> for SettingVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        read(text)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        read(&value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        read(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        read(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        read(&value.to_string())
    }
}

/// Types whose `FromStr` and `Display` are the form an operator expects.
macro_rules! plain_setting {
    ($($setting:ty: $expected:literal;)*) => {$(
        impl Setting for $setting {
            const EXPECTED: &'static str = $expected;

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn write(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

plain_setting! {
    String: "text";
    bool: "true or false";
    u8: "a whole number up to 255";
    u16: "a whole number up to 65535";
    u32: "a whole number up to 4294967295";
    usize: "a whole number";
    SocketAddr: "an IP address and a port, such as 127.0.0.1:8080";
    UserId: "a UUID";
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn write(&self) -> String {
        self.display().to_string()
    }
}

impl Setting for Sid {
    const EXPECTED: &'static str = "a security identifier (S-1-...)";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Setting for Principal {
    const EXPECTED: &'static str = "the UUID of a user or a security identifier (S-1-...)";

    fn read(text: &str) -> Option<Self> {
        Self::try_from(text.to_owned()).ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Setting for ShardCount {
    const EXPECTED: &'static str = "a whole number from 1 to 1024";

    fn read(text: &str) -> Option<Self> {
        Self::new(text.parse().ok()?)
    }

    fn write(&self) -> String {
        self.get().to_string()
    }
}
