//! The stored form of a data item.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Malformed;
use crate::domain::DataItem;

/// A data item. Its value is text, unless base64 is shorter: JSON takes six bytes for a control character, and a request of such
/// values would take megabytes of memory each time it is read.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDataItem<'a> {
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> From<&'a DataItem> for StoredDataItem<'a> {
    fn from(item: &'a DataItem) -> Self {
        let (name, value) = item.as_parts();
        let (value, base64) = match value {
            Some(value) if json_length(value) > base64_length(value) => (None, Some(STANDARD.encode(value))),
            value => (value.map(Cow::from), None),
        };
        Self { name: name.into(), value, base64 }
    }
}

impl TryFrom<StoredDataItem<'_>> for DataItem {
    type Error = Malformed;

    fn try_from(StoredDataItem { name, value, base64 }: StoredDataItem<'_>) -> Result<Self, Malformed> {
        let value = match base64 {
            Some(base64) => Some(String::from_utf8(STANDARD.decode(base64)?)?),
            None => value.map(Cow::into_owned),
        };
        Ok(Self::unchecked(name.into_owned(), value))
    }
}

/// Length of a text in JSON, without its quotation marks.
fn json_length(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

const fn base64_length(text: &str) -> usize {
    text.len().div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{StoredDataItem, base64_length, json_length};
    use crate::domain::DataItem;

    fn stored(value: &str) -> (String, DataItem) {
        let item = DataItem::unchecked("Badge".to_owned(), Some(value.to_owned()));
        let text = serde_json::to_string(&StoredDataItem::from(&item)).unwrap();
        let read: StoredDataItem<'_> = serde_json::from_str(&text).unwrap();
        (text.clone(), read.try_into().unwrap())
    }

    #[test]
    fn a_value_is_text_unless_base64_is_shorter() {
        for (value, form) in [
            ("", r#"{"name":"Badge","value":""}"#),
            ("a \"quoted\" value", r#"{"name":"Badge","value":"a \"quoted\" value"}"#),
            ("line\r\nline\r\nline", r#"{"name":"Badge","value":"line\r\nline\r\nline"}"#),
            ("\u{1}\u{2}\u{3}", r#"{"name":"Badge","base64":"AQID"}"#),
        ] {
            let (text, read) = stored(value);
            assert_eq!((text.as_str(), read.as_parts().1), (form, Some(value)));
        }
    }

    #[test]
    fn malformed_base64_is_refused() {
        for base64 in ["*", "AQI", "/w=="] {
            let stored = StoredDataItem { name: "Badge".into(), value: None, base64: Some(base64.to_owned()) };
            assert!(DataItem::try_from(stored).is_err(), "{base64}");
        }
    }

    proptest! {
        #[test]
        fn every_value_is_read_as_it_was_written(value in any::<String>()) {
            let (text, read) = stored(&value);
            prop_assert_eq!(read.as_parts().1, Some(value.as_str()));
            prop_assert_eq!(json_length(&value) + 2, serde_json::to_string(&value).unwrap().len());
            let frame = r#"{"name":"Badge","base64":""}"#.len();
            prop_assert!(text.len() <= frame + base64_length(&value));
        }

        #[test]
        fn every_value_of_control_characters_is_read_as_it_was_written(value in "[\\x01-\\x1f\"a]{0,40}") {
            let (_, read) = stored(&value);
            prop_assert_eq!(read.as_parts().1, Some(value.as_str()));
        }
    }
}
