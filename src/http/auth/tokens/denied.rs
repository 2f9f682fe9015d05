//! The file `auth.denied`: tokens that are refused before they expire. A pure function of the file and a token.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;
use serde::Deserialize;
use toml::value::Datetime;

use crate::domain::Timestamp;
use crate::http::auth::jwt::Verified;
use crate::runtime::file::toml_problem;
use crate::runtime::watched_file::FileSettings;

/// The key of the configuration that names the file.
const KEY: &str = "auth.denied";
/// Limit on the file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Maximum number of entries.
const MAX_ENTRIES: usize = 10_000;
/// Longest id or subject, in bytes; that of the claims.
const MAX_TEXT_BYTES: usize = 2_048;

/// The denied tokens.
#[derive(Debug)]
pub(in crate::http::auth) struct DeniedTokens {
    /// In the order of the issuers.
    issuers: Vec<DeniedOfIssuer>,
    entries: usize,
}

/// The denied tokens of one issuer.
#[derive(Clone, Debug, Default)]
struct DeniedOfIssuer {
    token_ids: HashSet<String>,
    subjects: HashMap<String, Denial>,
    issued_before: Option<Timestamp>,
}

/// Which tokens of a subject are denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denial {
    All,
    IssuedBefore(Timestamp),
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    denied: Vec<Entry>,
}

/// `[[denied]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    issuer: String,
    jti: Option<String>,
    subject: Option<String>,
    issued_before: Option<Datetime>,
    /// For people.
    #[serde(rename = "reason")]
    _reason: Option<String>,
}

/// The file with its rules; `issuers` are the names of the entries of `auth.jwt`, in their order.
pub(in crate::http::auth) fn file(path: PathBuf, issuers: Vec<Arc<str>>) -> FileSettings<DeniedTokens> {
    let parse = move |bytes: &[u8]| DeniedTokens::parse(bytes, &issuers);
    FileSettings { key: KEY, path, max_bytes: MAX_BYTES, parse: Box::new(parse) }
}

impl DeniedTokens {
    /// Reads the file.
    ///
    /// An entry that names no issuer of the configuration makes the whole file invalid: it is probably misspelled, and its tokens
    /// would be accepted.
    fn parse(bytes: &[u8], issuers: &[Arc<str>]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        let list: List = toml::from_str(text).map_err(|error| {
            let (line, problem) = toml_problem(text, &error);
            format!("is not valid in line {line}: {problem}")
        })?;
        let entries = list.denied.len();
        if entries > MAX_ENTRIES {
            return Err(format!("has {entries} entries; at most {MAX_ENTRIES} are allowed"));
        }
        let mut denied = Self { issuers: vec![DeniedOfIssuer::default(); issuers.len()], entries };
        for (number, entry) in list.denied.into_iter().enumerate() {
            let known = issuers.iter().position(|name| **name == *entry.issuer);
            let of_issuer = known.and_then(|index| denied.issuers.get_mut(index));
            let added =
                of_issuer.ok_or("names an issuer that is not an entry of auth.jwt").and_then(|of| of.add(entry));
            added.map_err(|problem| format!("is not valid: denied[{number}] {problem}"))?;
        }
        Ok(denied)
    }

    /// Whether a token is denied. `issuer` is the index of its issuer.
    pub(super) fn deny(&self, issuer: usize, token: &Verified) -> bool {
        // Every issuer has a list.
        self.issuers.get(issuer).is_none_or(|of_issuer| of_issuer.deny(token))
    }

    /// Number of entries.
    pub(in crate::http::auth) const fn entries(&self) -> usize {
        self.entries
    }
}

impl DeniedOfIssuer {
    fn add(&mut self, entry: Entry) -> Result<(), &'static str> {
        let is_text =
            |text: &Option<String>| text.as_ref().is_none_or(|text| (1..=MAX_TEXT_BYTES).contains(&text.len()));
        if !is_text(&entry.jti) || !is_text(&entry.subject) {
            return Err("must have a jti or subject of 1 to 2048 bytes");
        }
        let issued_before = entry.issued_before.map(time).transpose()?;
        match (entry.jti, entry.subject, issued_before) {
            (Some(id), None, None) => {
                self.token_ids.insert(id);
            }
            (None, Some(subject), before) => {
                let denial = before.map_or(Denial::All, Denial::IssuedBefore);
                self.subjects.entry(subject).and_modify(|known| *known = known.or(denial)).or_insert(denial);
            }
            (None, None, Some(before)) => self.issued_before = self.issued_before.max(Some(before)),
            (Some(_), _, _) => return Err("must have jti alone: an id names one token"),
            (None, None, None) => return Err("must have jti, subject or issued_before"),
        }
        Ok(())
    }

    fn deny(&self, token: &Verified) -> bool {
        // A token that does not say when it was issued may have been issued before any time.
        let is_before = |time: Timestamp| token.issued_at.is_none_or(|issued| issued < time);
        self.issued_before.is_some_and(is_before)
            || token.token_id.as_ref().is_some_and(|id| self.token_ids.contains(id))
            || self.subjects.get(&token.subject).is_some_and(|denial| match denial {
                Denial::All => true,
                Denial::IssuedBefore(time) => is_before(*time),
            })
    }
}

impl Denial {
    /// Denies what either denies.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::IssuedBefore(one), Self::IssuedBefore(other)) => Self::IssuedBefore(one.max(other)),
            (Self::All, _) | (_, Self::All) => Self::All,
        }
    }
}

fn time(time: Datetime) -> Result<Timestamp, &'static str> {
    let time = DateTime::parse_from_rfc3339(&time.to_string());
    let problem = "must have a date, a time and an offset in issued_before, such as 2026-01-31T12:00:00Z";
    time.map(|time| Timestamp::new(time.to_utc())).map_err(|_| problem)
}

#[cfg(test)]
mod tests;
