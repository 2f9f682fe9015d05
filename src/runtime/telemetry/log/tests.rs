//! Lines of the JSON format.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::field::Empty;
use tracing_subscriber::fmt::MakeWriter;

use super::CALL_TARGET;
use super::json::{JsonLines, JsonMembers};

/// Longest line of a successful call without a trace context.
const CALL_LINE_BYTES: usize = 250;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn lines(log: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .fmt_fields(JsonMembers)
        .event_format(JsonLines::new("node-1"))
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, log);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

fn object(line: &str) -> serde_json::Map<String, Value> {
    let Value::Object(object) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    object
}

#[test]
fn a_line_is_one_flat_object() {
    let lines = lines(|| {
        let span = tracing::info_span!("call", id = "17 \"and\" \n", user = Empty);
        span.record("user", "u1");
        let _entered = span.entered();
        tracing::warn!(count = 3, is_last = true, error = %io::Error::other("broken\n"), "it {}", "fails");
    });
    assert_eq!(lines.len(), 1);
    let line = object(&lines[0]);
    let text = |name: &str| line[name].as_str().unwrap();
    assert_eq!((text("id"), text("user"), text("level")), ("17 \"and\" \n", "u1", "WARN"));
    assert_eq!((text("message"), text("error")), ("it fails", "broken\n"));
    assert_eq!((&line["count"], &line["is_last"]), (&3.into(), &true.into()));
    assert_eq!((text("instance"), text("version")), ("node-1", env!("CARGO_PKG_VERSION")));
    assert_eq!(text("target"), module_path!());
    assert!(text("time").ends_with('Z') && line.len() == 11, "{line:?}");
}

#[test]
fn a_line_has_each_name_once() {
    let lines = lines(|| {
        let _entered = tracing::info_span!("call", id = "17 ,\"code\":", user = "u1").entered();
        tracing::warn!(user = "u2", version = "0", code = 5, "refused");
    });
    for (name, count) in [("user", 1), ("version", 1), ("code", 1), ("target", 1), ("message", 1)] {
        assert_eq!(lines[0].matches(&format!(",\"{name}\":")).count(), count, "{name}: {}", lines[0]);
    }
    let line = object(&lines[0]);
    assert_eq!((&line["user"], &line["version"]), (&"u1".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(line["code"], 5);
}

#[test]
fn the_line_of_a_successful_call_is_short() {
    let id = "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01";
    let lines = lines(|| {
        let _entered = tracing::info_span!("call", id, method = "CreateRequest", user = id).entered();
        tracing::info!(target: CALL_TARGET, code = "OK", us = 12_345, request = id, key = true);
        tracing::warn!(target: CALL_TARGET, code = "INTERNAL", us = 12_345);
    });
    assert!(lines[0].len() < CALL_LINE_BYTES, "{} bytes: {}", lines[0].len(), lines[0]);
    assert!(!lines[0].contains("instance") && !lines[0].contains("target"), "{}", lines[0]);
    assert_eq!(object(&lines[1])["instance"], "node-1");
}
