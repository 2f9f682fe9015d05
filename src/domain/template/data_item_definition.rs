//! Definitions of data items: name, provider and format of each item that a policy requests.
//!
//! Sources: FIM CM 2010 SDK pages bb490392 (types), bb490394 (validation) and bb468249 (required).

use std::sync::OnceLock;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use regex::Regex;
use serde::Deserialize;

use crate::domain::DataItem;

/// A data item that a policy requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataItemDefinition {
    /// Name, the key of the item in the request.
    pub name: String,
    /// The party that provides it.
    pub provider: Provider,
    /// Whether it must be provided.
    #[serde(default)]
    pub required: bool,
    /// Type of the value.
    #[serde(default, rename = "type")]
    pub kind: DataItemType,
    /// Pattern that the value must match.
    #[serde(default)]
    pub pattern: Option<Pattern>,
}

/// Who provides a data item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// The target of the request.
    Subscriber,
    /// Its initiator or an approver.
    CertificateManager,
}

/// The type of a data item value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataItemType {
    /// Any text.
    #[default]
    String,
    /// A whole number.
    Number,
    /// An ISO 8601 date with an optional time.
    Date,
}

/// A regular expression that the whole value must match.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
    text: String,
    /// Compiled on first use: a stored policy is read far more often than its patterns are used.
    compiled: OnceLock<Option<Regex>>,
}

impl DataItemDefinition {
    /// An optional item that accepts any text.
    #[must_use]
    pub fn new(name: &str, provider: Provider) -> Self {
        Self { name: name.to_owned(), provider, required: false, kind: DataItemType::String, pattern: None }
    }

    /// The problem with a delivered value; in messages it follows the field name. Open and empty items pass.
    pub(in crate::domain) fn problem_with(&self, item: &DataItem) -> Option<String> {
        let value = item.value().filter(|value| !value.is_empty())?;
        if !self.kind.takes(value) {
            return Some(format!("of the item {:?} must be {}", self.name, self.kind.description()));
        }
        let pattern = self.pattern.as_ref().filter(|pattern| !pattern.matches(value))?;
        Some(format!("of the item {:?} must match {}", self.name, pattern.text))
    }
}

impl DataItemType {
    /// Whether a text is a value of this type.
    fn takes(self, value: &str) -> bool {
        match self {
            Self::String => true,
            Self::Number => value.parse::<i64>().is_ok(),
            Self::Date => is_date(value),
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Number => "a whole number",
            Self::Date => "a date such as 2015-07-07 or 2015-07-07T23:36:21Z",
        }
    }
}

fn is_date(value: &str) -> bool {
    NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok()
        || NaiveDateTime::parse_from_str(value, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
        || DateTime::parse_from_rfc3339(value).is_ok()
}

impl Pattern {
    /// Whether it is a valid regular expression; an invalid one matches nothing.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.regex().is_some()
    }

    /// The expression as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn matches(&self, value: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(value))
    }

    fn regex(&self) -> Option<&Regex> {
        // In verbose mode a trailing comment would swallow the closing parenthesis; the line break ends the comment.
        let whole = |text: &str| {
            let plain = Regex::new(&format!(r"\A(?:{text})\z"));
            plain.or_else(|_| Regex::new(&format!("\\A(?:{text}\n)\\z"))).ok()
        };
        self.compiled.get_or_init(|| Regex::new(&self.text).ok().and_then(|_| whole(&self.text))).as_ref()
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use crate::domain::DataItem;
    use crate::domain::{DataItemDefinition, DataItemType, Pattern, Provider};

    fn problem(definition: &DataItemDefinition, value: &str) -> Option<String> {
        definition.problem_with(&DataItem::parse("item", "Badge", Some(value.to_owned())).unwrap())
    }

    fn badge() -> DataItemDefinition {
        DataItemDefinition::new("Badge", Provider::Subscriber)
    }

    #[test]
    fn a_number_is_whole() {
        let number = DataItemDefinition { kind: DataItemType::Number, ..badge() };
        for value in ["0", "-7", "+7", "007", "9223372036854775807"] {
            assert_eq!(problem(&number, value), None, "{value}");
        }
        for value in [" ", "1.0", "1e3", "0x10", "seven", "9223372036854775808"] {
            let expected = "of the item \"Badge\" must be a whole number";
            assert_eq!(problem(&number, value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_date_has_the_form_of_iso_8601() {
        let date = DataItemDefinition { kind: DataItemType::Date, ..badge() };
        for value in ["2015-07-07", "2015-07-07T23:36:21", "2015-07-07T23:36:21.93Z", "2015-07-07T23:36:21+02:00"] {
            assert_eq!(problem(&date, value), None, "{value}");
        }
        for value in ["07.07.2015", "7/7/2015", "2015-02-30", "2015-07-07T25:00:00Z", "tomorrow"] {
            let expected = "of the item \"Badge\" must be a date such as 2015-07-07 or 2015-07-07T23:36:21Z";
            assert_eq!(problem(&date, value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_pattern_is_met_by_the_whole_value() {
        for pattern in ["[A-Z]{2}|[0-9]+", "^(?:[A-Z]{2}|[0-9]+)$", "(?x) [A-Z]{2} | [0-9]+ # letters or a number"] {
            let definition = DataItemDefinition { pattern: Some(Pattern::from(pattern.to_owned())), ..badge() };
            for value in ["AB", "1", "123"] {
                assert_eq!(problem(&definition, value), None, "{pattern}: {value}");
            }
            for value in ["ABC", "A1", "AB\n", " AB", "ab"] {
                let expected = format!("of the item \"Badge\" must match {pattern}");
                assert_eq!(problem(&definition, value), Some(expected), "{pattern}: {value:?}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_told_apart() {
        for pattern in ["", "a+", "(?i)a", "(?x) a # b"] {
            assert!(Pattern::from(pattern.to_owned()).is_valid(), "{pattern}");
        }
        for pattern in ["(", "a)|(b", "(?<=a)b", "[z-a]"] {
            assert!(!Pattern::from(pattern.to_owned()).is_valid(), "{pattern}");
        }
    }

    #[test]
    fn an_open_or_empty_item_is_not_held_against_its_definition() {
        let strict = DataItemDefinition {
            kind: DataItemType::Number,
            pattern: Some(Pattern::from("7".to_owned())),
            required: true,
            ..badge()
        };
        assert_eq!(strict.problem_with(&DataItem::open("Badge")), None);
        assert_eq!(problem(&strict, ""), None);
    }
}
