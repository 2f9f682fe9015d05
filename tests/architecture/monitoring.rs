//! What the alerts, the dashboard and the pages for operators name exists: metrics, labels, sections, commands and log messages.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clap::Parser;
use cmgate::cli::Cli;
use cmgate::relay::Halt;
use cmgate::runtime::telemetry::names::{Kind, METRICS};

use super::docs::{code_spans, documents, read, root};
use super::report;

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const ALERT_TESTS: &str = "deploy/prometheus/alerts.test.yaml";
const DASHBOARD: &str = "deploy/grafana/cmgate.json";
const RUNBOOK: &str = "docs/runbook.md";

/// Metrics of the library that observes the process. A test of a running process finds each.
const PROCESS: [&str; 8] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
    "process_virtual_memory_max_bytes",
];

/// Labels that Prometheus adds to every sample, and the one of histograms.
const ADDED_LABELS: [&str; 3] = ["instance", "job", "le"];

/// Words that begin like a metric in the documents: names of tests, databases and files.
const NO_METRICS: [&str; 2] = ["cmgate_service", "cmgate_test"];

#[test]
fn every_metric_that_a_document_names_exists() {
    let known = known_names();
    let mut texts = documents();
    texts.extend(
        [ALERTS, ALERT_TESTS, DASHBOARD, "deploy/config.example.toml"].map(|path| (path.to_owned(), read(path))),
    );
    report(texts.iter().flat_map(|(path, text)| {
        let unknown =
            metrics_in(text).into_iter().filter(|name| !known.contains(name) && !NO_METRICS.contains(&name.as_str()));
        unknown.map(move |name| format!("{path} names the metric {name}, which does not exist"))
    }));
}

#[test]
fn every_metric_is_on_the_page_of_metrics() {
    let page = read("docs/metrics.md");
    let described: Vec<&str> = code_spans(&page);
    let all = METRICS.iter().map(|metric| metric.name).chain(PROCESS);
    report(all.filter(|name| !described.contains(name)).map(|name| format!("docs/metrics.md lacks {name}")));
}

#[test]
fn expressions_use_labels_that_their_metrics_have() {
    let alerts = read(ALERTS);
    let dashboard: serde_json::Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let mut expressions: Vec<String> = expressions_of_alerts(&alerts).into_values().collect();
    assert!(expressions.len() > 20, "{expressions:?}");
    let of_alerts = expressions.len();
    collect_expressions(&dashboard, &mut expressions);
    assert!(expressions.len() > of_alerts + 40, "the dashboard has {} expressions", expressions.len() - of_alerts);
    let spans = read(RUNBOOK);
    let is_expression = |span: &&str| metrics_in(span).len() == 1 && span.contains(['(', '{']);
    expressions.extend(code_spans(&spans).into_iter().filter(is_expression).map(str::to_owned));
    report(expressions.iter().flat_map(|expression| {
        let allowed = labels_of(&metrics_in(expression));
        let wrong = labels_in(expression).into_iter().filter(move |label| !allowed.contains(label.as_str()));
        wrong.map(move |label| format!("{expression}: no metric of it has the label {label}"))
    }));
}

#[test]
fn every_alert_and_every_halt_has_its_section() {
    let (alerts, runbook) = (read(ALERTS), read(RUNBOOK));
    let sections: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let names = expressions_of_alerts(&alerts);
    let mut wanted: BTreeSet<&str> = names.keys().map(String::as_str).collect();
    wanted.extend(Halt::REASONS);
    report(wanted.difference(&sections).map(|name| format!("{RUNBOOK} has no section {name}")));
    report(sections.difference(&wanted).map(|name| format!("{RUNBOOK}: there is no alert or halt {name}")));
    let anchors: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    let expected: BTreeSet<String> = names.keys().map(|name| format!("{RUNBOOK}#{}", name.to_lowercase())).collect();
    assert_eq!(anchors.len(), names.len());
    assert_eq!(anchors.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_section_of_an_alert_says_what_to_do() {
    let runbook = read(RUNBOOK);
    let (alerts, halts) = runbook.split_once("\n## Halts\n").unwrap();
    for section in alerts.split("\n### ").skip(1) {
        let parts: Vec<&str> =
            section.lines().filter_map(|line| line.strip_prefix("- **")?.split("**").next()).collect();
        assert_eq!(parts, ["Meaning", "Callers", "Look", "Remedy", "Over when"], "{section}");
    }
    for section in halts.split("\n### ").skip(1) {
        assert!(section.lines().any(|line| line.starts_with("- ")), "no remedy: {section}");
    }
}

#[test]
fn every_alert_has_a_severity_and_a_test() {
    let (alerts, tests) = (read(ALERTS), read(ALERT_TESTS));
    for rule in alerts.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        let severities = ["page", "ticket", "info"].map(|severity| format!("severity: {severity} "));
        assert!(severities.iter().any(|severity| rule.contains(severity.as_str())), "{name} has no severity");
        for key in ["summary: ", "description: "] {
            assert!(rule.contains(key), "{name} has no {key}");
        }
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{ALERT_TESTS} does not test {name}");
    }
}

#[test]
fn commands_of_the_runbook_exist() {
    let runbook = read(RUNBOOK);
    let blocks = runbook.split("```").skip(1).step_by(2).flat_map(str::lines);
    let spans =
        code_spans(&runbook).into_iter().chain(blocks).map(|line| line.split('#').next().unwrap_or_default().trim());
    let commands: Vec<&str> = spans.filter(|span| span.starts_with("cmgate ")).collect();
    assert!(commands.len() > 10, "{commands:?}");
    report(commands.into_iter().filter_map(|command| {
        let words =
            command.split_whitespace().map(|word| if ["N", "POSITION", "OFFSET"].contains(&word) { "1" } else { word });
        Cli::try_parse_from(words).err().map(|error| format!("{command}: {error}"))
    }));
}

#[test]
fn log_messages_that_the_runbook_quotes_exist() {
    let sources: String = super::sources().into_iter().map(|source| source.text).collect();
    let runbook = read(RUNBOOK);
    let quoted: Vec<&str> = runbook
        .match_indices("log line")
        .filter_map(|(at, _)| runbook[at..].split('`').nth(1).filter(|_| runbook[at..].find('`') < Some(12)))
        .collect();
    assert!(quoted.len() >= 5, "{quoted:?}");
    report(
        quoted
            .into_iter()
            .filter(|quoted| !sources.contains(&format!("\"{quoted}")))
            .map(|quoted| format!("no log line {quoted:?}")),
    );
}

#[test]
fn promtool_accepts_the_rules_and_their_tests() {
    let rules = run(&["check", "rules", ALERTS]);
    let Some(rules) = rules else { return };
    assert_success(&rules);
    assert_success(&run(&["test", "rules", ALERT_TESTS]).unwrap());
    let mut expressions = Vec::new();
    collect_expressions(&serde_json::from_str(&read(DASHBOARD)).unwrap(), &mut expressions);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dashboard.yaml");
    let rules = expressions.iter().enumerate().map(|(number, expression)| {
        let expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*").replace('\'', "''");
        format!("      - {{ record: 'panel:{number}', expr: '{expression}' }}\n")
    });
    fs::write(&file, format!("groups:\n  - name: dashboard\n    rules:\n{}", rules.collect::<String>())).unwrap();
    assert_success(&run(&["check", "rules", file.to_str().unwrap()]).unwrap());
}

/// The output of promtool; `None` if it is not installed, unless `CMGATE_TEST_PROMTOOL` requires it.
fn run(arguments: &[&str]) -> Option<Output> {
    let own = root().join("target/promtool/usr/bin/promtool");
    let program = if own.exists() { own.as_path() } else { Path::new("promtool") };
    match Command::new(program).args(arguments).current_dir(root()).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(env::var_os("CMGATE_TEST_PROMTOOL").is_none(), "promtool is required: {error}");
            println!(
                "SKIPPED: promtool is not installed, so nothing has tested the alerts; see tests/services/promtool"
            );
            None
        }
    }
}

fn assert_success(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// The names of samples: those of the metrics, and of the parts of histograms.
fn known_names() -> BTreeSet<String> {
    let parts = |metric: &cmgate::runtime::telemetry::names::Metric| {
        let suffixes: &[&str] = match metric.kind {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Histogram(_) => &["", "_bucket", "_sum", "_count"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", metric.name)).collect::<Vec<_>>()
    };
    METRICS.iter().flat_map(parts).chain(PROCESS.map(str::to_owned)).collect()
}

/// The metrics that a text names.
fn metrics_in(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("cmgate_") || word.starts_with("process_")).map(str::to_owned).collect()
}

/// The labels that these samples can have.
fn labels_of(names: &[String]) -> BTreeSet<&'static str> {
    let metrics = METRICS.iter().filter(|metric| names.iter().any(|name| name.starts_with(metric.name)));
    metrics.flat_map(|metric| metric.labels.iter().copied()).chain(ADDED_LABELS).collect()
}

/// The labels in the selectors and groupings of an expression.
fn labels_in(expression: &str) -> Vec<String> {
    let mut labels = Vec::new();
    for selector in expression.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        for matcher in selector.split(',').filter(|matcher| matcher.contains('"')) {
            labels.extend(matcher.split(['=', '!']).next().map(|label| label.trim().to_owned()));
        }
    }
    for keyword in ["by (", "on ("] {
        for list in expression.split(keyword).skip(1).filter_map(|rest| rest.split(')').next()) {
            labels.extend(list.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()));
        }
    }
    labels
}

/// The expression of each alert.
fn expressions_of_alerts(alerts: &str) -> BTreeMap<String, String> {
    let rules = alerts.split("- alert: ").skip(1).map(|rule| {
        let (name, rest) = rule.split_once('\n').unwrap();
        let (_, expression) = rest.split_once("expr: ").unwrap();
        let end =
            ["\n        for: ", "\n        labels: "].iter().filter_map(|next| expression.find(next)).min().unwrap();
        (name.to_owned(), expression[..end].trim_start_matches(">-").trim().to_owned())
    });
    rules.collect()
}

/// The expressions of a dashboard.
fn collect_expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            found.extend(members.get("expr").and_then(serde_json::Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_expressions(member, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_expressions(item, found)),
        _ => {}
    }
}

#[test]
fn names_labels_and_expressions_are_found() {
    assert_eq!(metrics_in("sum(cmgate_a_total{x=\"1\"}) / process_b"), ["cmgate_a_total", "process_b"]);
    assert_eq!(labels_in("sum by (a, b) (x{c=\"1\",d!~\"2\"}) unless on () y{e=~\"3\"}"), ["c", "d", "e", "a", "b"]);
    let rule = "- alert: A\n        expr: >-\n          x\n          > 1\n        for: 1m\n";
    assert_eq!(
        expressions_of_alerts(rule).into_iter().next().unwrap(),
        ("A".to_owned(), "x\n          > 1".to_owned())
    );
}
