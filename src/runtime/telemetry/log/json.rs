//! The JSON format of the log: one flat object per line, described in docs/log.md.

use std::fmt::{self, Debug, Display, Write};
use std::sync::Arc;

use chrono::SecondsFormat;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::CALL_TARGET;
use crate::runtime::clock::Clock;

/// Initial capacity of a line, in bytes: that of most calls.
const LINE_BYTES: usize = 256;

/// Formats events. If a span and its event have fields of the same name, the line has that of the span.
pub(super) struct JsonLines {
    /// Name of this process.
    instance: Arc<str>,
}

/// Formats fields as `,"name":value` each, so that fields recorded later are appended without parsing the earlier ones.
pub(super) struct JsonMembers;

impl JsonLines {
    pub(super) fn new(instance: &str) -> Self {
        Self { instance: instance.into() }
    }
}

impl<S> FormatEvent<S, JsonMembers> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonMembers>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (target, level) = (event.metadata().target(), *event.metadata().level());
        let mut line = String::with_capacity(LINE_BYTES);
        let time = Clock::System.now().utc().to_rfc3339_opts(SecondsFormat::Millis, true);
        write!(line, "{{\"time\":\"{time}\",\"level\":\"{level}\"")?;
        // A successful call is the most frequent line by far, and its target says nothing.
        let is_call = target == CALL_TARGET;
        if !is_call {
            member(&mut line, "target", target)?;
        }
        if !is_call || level < Level::INFO {
            member(&mut line, "instance", &self.instance)?;
            member(&mut line, "version", env!("CARGO_PKG_VERSION"))?;
        }
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonMembers>>() {
                line.push_str(fields);
            }
        }
        write_members(&mut line, event)?;
        line.push_str("}\n");
        writer.write_str(&line)
    }
}

impl<'writer> FormatFields<'writer> for JsonMembers {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = String::new();
        write_members(&mut members, fields)?;
        writer.write_str(&members)
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

fn write_members(line: &mut String, fields: impl RecordFields) -> fmt::Result {
    let mut members = Members { line, result: Ok(()) };
    fields.record(&mut members);
    members.result
}

/// Writes the fields that it visits, except those whose name the line has already.
struct Members<'line> {
    line: &'line mut String,
    result: fmt::Result,
}

impl Members<'_> {
    fn add(&mut self, field: &Field, add: impl FnOnce(&mut String, &str) -> fmt::Result) {
        // In values, quotation marks are escaped, so this finds names only.
        let is_new = !self.line.contains(&format!(",\"{}\":", field.name()));
        if is_new && self.result.is_ok() {
            self.result = add(self.line, field.name());
        }
    }

    fn plain(&mut self, field: &Field, value: impl Display) {
        self.add(field, |line, name| write!(line, ",\"{name}\":{value}"));
    }
}

impl Visit for Members<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, |line, name| member(line, name, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // The crate `tracing-log` adds such fields to records of the crate `log`; they repeat the target and name source files.
        if !field.name().starts_with("log.") {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

fn member(line: &mut String, name: &str, value: &str) -> fmt::Result {
    // A text always has a JSON form.
    let value = serde_json::to_string(value).map_err(|_| fmt::Error)?;
    write!(line, ",\"{name}\":{value}")
}
