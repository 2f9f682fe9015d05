//! Compares the table with the answers of both transports and with the table in the documentation.

mod reasons;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http::header::RETRY_AFTER;
use tonic::Code;
use tonic_types::StatusExt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use uuid::Uuid;

use super::{KINDS, Row, Severity, log_failure, row, severity_of_code, severity_of_status};
use crate::domain::{CorrelationId, ErrorKind};
use crate::service::Error;
use crate::store::StoreError;
use crate::{grpc, mimcm};

fn correlation() -> CorrelationId {
    CorrelationId::of_uuid(Uuid::from_u128(9))
}

#[test]
fn both_transports_answer_what_the_table_says() {
    for kind in KINDS {
        let Row { code, status, problem, retry_after, .. } = row(*kind);

        let answer = grpc::refusal(*kind, "REASON", "what is wrong", &correlation());
        let decoded = tonic::Status::from_header_map(answer.headers()).unwrap();
        assert_eq!((decoded.code(), decoded.message()), (code, "what is wrong"), "{kind:?}");
        let details = decoded.get_error_details();
        assert_eq!(details.retry_info().and_then(|info| info.retry_delay), retry_after, "{kind:?} over gRPC");
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["problem"].as_str()), ("REASON", problem));
        assert_eq!(info.metadata["correlation_id"], correlation().to_string());

        let answer = mimcm::refusal(*kind, "what is wrong", &correlation());
        assert_eq!(answer.status(), status, "{kind:?}");
        let seconds = answer.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().parse().unwrap());
        assert_eq!(seconds, retry_after.map(|pause| pause.as_secs()), "{kind:?} over REST");
    }
}

#[test]
fn kinds_that_share_a_code_or_a_status_share_its_severity() {
    for kind in KINDS {
        let Row { code, status, severity, .. } = row(*kind);
        assert_eq!((severity_of_code(code), severity_of_status(status)), (severity, severity), "{kind:?}");
    }
    assert_eq!(severity_of_code(Code::Ok), Severity::Info);
    assert_eq!(severity_of_code(Code::Unknown), Severity::Error);
}

#[test]
fn problem_names_are_unique() {
    let mut names: Vec<_> = KINDS.iter().map(|kind| row(*kind).problem).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS.len());
}

/// The rows of the documentation are `| kind | gRPC | HTTP | when |`.
#[test]
fn the_documentation_has_the_same_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let pages: Vec<PathBuf> = docs.filter(|path| path.is_file()).chain([root.join("README.md")]).collect();
    let lines: Vec<String> = pages
        .iter()
        .flat_map(|page| fs::read_to_string(page).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let rows = lines.iter().skip_while(|line| !line.starts_with("| kind | gRPC | HTTP |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let listed: Vec<String> = rows.map(|row| row.split('|').take(4).collect::<Vec<_>>().join("|")).collect();
    let expected = KINDS.iter().map(|kind| {
        let Row { code, status, problem, .. } = row(*kind);
        let kind = problem.to_lowercase().replace('_', " ");
        format!("| {kind} | `{}` | {} ", name(code), status.as_u16())
    });
    assert_eq!(listed, expected.collect::<Vec<_>>());
}

fn name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[test]
fn a_failure_is_logged_as_the_table_says() {
    let away = || Arc::new(StoreError::Unavailable(sqlx::Error::PoolClosed));
    for error in [
        Error::Overloaded,
        Error::DeadlineExceeded,
        Error::Stopping,
        Error::Unavailable(away()),
        Error::OutcomeUnknown(away()),
        Error::Internal(away()),
    ] {
        let log = Log::default();
        tracing::subscriber::with_default(log.clone(), || log_failure(&error));
        let expected = match row(error.kind()).severity {
            Severity::Info => vec![],
            Severity::Warn => vec![(Level::WARN, error.reason().to_owned())],
            Severity::Error => vec![(Level::ERROR, error.reason().to_owned())],
        };
        assert_eq!(*log.0.lock().unwrap(), expected, "{error:?}");
    }
    assert_eq!(row(ErrorKind::DeadlineExceeded).severity, Severity::Warn);
}

/// Keeps the level and the reason of each event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

struct Reason(String);

impl Visit for Reason {
    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "reason" {
            value.clone_into(&mut self.0);
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut reason = Reason(String::new());
        event.record(&mut reason);
        self.0.lock().unwrap().push((*event.metadata().level(), reason.0));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
