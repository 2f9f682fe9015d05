//! What the doctor found: a line for each finding, or one JSON object.

use std::fmt;
use std::io::{self, Write};

use prost::Message;
use serde::Serialize;
use serde_json::Value;

use crate::cli::exit::{ExitError, ExitStatus};
use crate::contract::{self, JsonForm};
use crate::domain::{Caller, Groups, Sid};

/// Longest text of a finding, in characters. Texts can quote what servers answer.
const MAX_CHARS: usize = 1_000;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// The service works, but someone should look at it.
    Warning,
    /// The service does not start, or cannot do its work.
    Fault,
    /// It could not be checked, which says nothing about the service.
    Skipped,
}

/// A finding.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was checked, such as `database`.
    pub(super) subject: String,
    /// What was found.
    pub(super) text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

/// All findings of a command, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    /// The caller that a credential proves.
    pub(super) caller: Option<Caller>,
}

/// The JSON form of a report.
#[derive(Serialize)]
struct Document<'a> {
    faults: usize,
    warnings: usize,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Value>,
}

impl Finding {
    pub(super) fn ok(subject: impl Into<String>, text: impl fmt::Display) -> Self {
        Self::new(Level::Ok, subject, text, None)
    }

    pub(super) fn skipped(subject: impl Into<String>, text: impl fmt::Display) -> Self {
        Self::new(Level::Skipped, subject, text, None)
    }

    pub(super) fn warning(subject: impl Into<String>, text: impl fmt::Display, advice: &str) -> Self {
        Self::new(Level::Warning, subject, text, Some(advice))
    }

    pub(super) fn fault(subject: impl Into<String>, text: impl fmt::Display, advice: &str) -> Self {
        Self::new(Level::Fault, subject, text, Some(advice))
    }

    /// A fault whose text says what to do.
    pub(super) fn plain_fault(subject: impl Into<String>, text: impl fmt::Display) -> Self {
        Self::new(Level::Fault, subject, text, None)
    }

    fn new(level: Level, subject: impl Into<String>, text: impl fmt::Display, advice: Option<&str>) -> Self {
        let (subject, text) = (subject.into(), one_line(&text.to_string()));
        Self { level, subject, text, advice: advice.map(str::to_owned) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Fault => "fault",
            Level::Skipped => "skipped",
        };
        write!(f, "{level:<8} {}: {}", self.subject, self.text)?;
        match &self.advice {
            Some(advice) => write!(f, " -> {advice}"),
            None => Ok(()),
        }
    }
}

impl Report {
    /// A report of findings alone.
    pub(super) const fn of(findings: Vec<Finding>) -> Self {
        Self { findings, caller: None }
    }

    /// Adds the caller that a credential proves.
    pub(super) fn prove(&mut self, caller: Caller) {
        self.findings.push(Finding::ok("caller", describe(&caller)));
        self.caller = Some(caller);
    }

    /// Prints the report.
    ///
    /// # Errors
    /// The report has a fault, or cannot be printed.
    pub(super) fn print(&self, as_json: bool, output: &mut impl Write) -> Result<(), ExitError> {
        let printed = if as_json { self.write_json(output) } else { self.write_lines(output) };
        match printed {
            // A reader such as `head` may close the output.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(ExitError::of(ExitStatus::Internal, &error));
            }
            Ok(()) | Err(_) => {}
        }
        match self.count(Level::Fault) {
            0 => Ok(()),
            faults => Err(ExitError::new(ExitStatus::Faults, format!("the doctor found {}", count(faults, "fault")))),
        }
    }

    fn write_lines(&self, output: &mut impl Write) -> io::Result<()> {
        for finding in &self.findings {
            writeln!(output, "{finding}")?;
        }
        output.flush()
    }

    fn write_json(&self, output: &mut impl Write) -> io::Result<()> {
        let caller = self.caller.as_ref().map(caller_json).transpose()?;
        let (faults, warnings) = (self.count(Level::Fault), self.count(Level::Warning));
        let document = Document { faults, warnings, findings: &self.findings, caller };
        serde_json::to_writer_pretty(&mut *output, &document)?;
        writeln!(output)?;
        output.flush()
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// The caller as `WhoAmI` shows it.
fn caller_json(caller: &Caller) -> io::Result<Value> {
    let form = JsonForm::of("cmgate.v1.Caller").map_err(io::Error::other)?;
    let message = form.message(&contract::caller(caller).encode_to_vec()).map_err(io::Error::other)?;
    Ok(serde_json::to_value(message)?)
}

fn describe(caller: &Caller) -> String {
    let sid = caller.sid.as_ref().map_or_else(|| "no SID".to_owned(), |sid| format!("SID {sid}"));
    let groups = match &caller.groups {
        Groups::Unknown => "groups unknown".to_owned(),
        Groups::Known(groups) if groups.is_empty() => "no groups".to_owned(),
        Groups::Known(groups) => format!("groups {}", listed(groups)),
        Groups::Restricted { groups, deny_only } => {
            format!("groups {}, for denials only {}", listed(groups), listed(deny_only))
        }
    };
    let entry = caller.proof.entry.as_deref().map(|entry| format!(", by the entry {entry}")).unwrap_or_default();
    let until = caller.proof.expires_at.map(|time| format!(", until {}", time.utc())).unwrap_or_default();
    format!("user {} ({:?}), {sid}, {groups}{entry}{until}", caller.user, caller.name)
}

/// A number of things, such as `1 broker`, `3 brokers` or `2 entries`.
pub(super) fn count(number: usize, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}

fn listed(groups: &[Sid]) -> String {
    groups.iter().map(Sid::to_string).collect::<Vec<_>>().join(", ")
}

/// The text on one line, shortened.
fn one_line(text: &str) -> String {
    text.chars().take(MAX_CHARS).map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(report: &Report, as_json: bool) -> (String, Option<u8>) {
        let mut output = Vec::new();
        let outcome = report.print(as_json, &mut output);
        (String::from_utf8(output).unwrap(), outcome.err().map(|error| error.status.code()))
    }

    #[test]
    fn only_faults_fail() {
        let fine = vec![Finding::ok("a", "b"), Finding::skipped("c", "d"), Finding::warning("e", "f", "do g")];
        let (lines, code) = print(&Report::of(fine.clone()), false);
        assert_eq!((lines.as_str(), code), ("ok       a: b\nskipped  c: d\nwarning  e: f -> do g\n", None));
        let faulty =
            Report::of([fine, vec![Finding::fault("h", "i\nj", "k"), Finding::plain_fault("l", "m")]].concat());
        let (lines, code) = print(&faulty, false);
        assert!(lines.ends_with("fault    h: i j -> k\nfault    l: m\n"), "{lines}");
        assert_eq!(code, Some(1));
    }

    #[test]
    fn the_json_form_has_the_same_findings() {
        let (json, code) =
            print(&Report::of(vec![Finding::warning("a", "b", "c"), Finding::plain_fault("d", "e")]), true);
        let found: Value = serde_json::from_str(&json).unwrap();
        let expected = serde_json::json!({"faults": 1, "warnings": 1, "findings": [
            {"level": "warning", "subject": "a", "text": "b", "advice": "c"}, {"level": "fault", "subject": "d", "text": "e"},
        ]});
        assert_eq!((found, code), (expected, Some(1)));
    }
}
