//! Rules of the architecture that the compiler does not check: dependencies run down the layers, components are few and none is
//! too large, files have no circular dependencies, the domain does no I/O, and every file has a header.
//!
//! A component is a folder or file directly under `src`, `proto` or `benches`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read the sources fails")]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

mod components;
mod docs;
mod graph;
mod monitoring;
mod source;
mod tests;

use components::{Component, component_of};
use graph::{Circle, Graph};
use source::{Source, Use, sources};

/// The components of `src` by layer, from the top. A component may use itself and the components of lower layers, nothing else.
const LAYERS: [&[&str]; 9] = [
    &["main", "lib"],
    &["cli"],
    &["http"],
    &["grpc", "mimcm"],
    &["service", "relay"],
    &["feed"],
    &["config", "contract", "store"],
    &["runtime"],
    &["domain"],
];

/// Dependencies that are forbidden although the layers would allow them. The longest prefix of a module's name applies; an empty
/// list forbids nothing.
///
/// The caller of the store decides what to write, so the store uses neither the decider nor the encoding of events.
const FORBIDDEN: [(&str, &[&str]); 9] = [
    ("http", &["store", "feed", "relay", "config"]),
    ("http::admin", &[]),
    ("mimcm", &["contract", "store", "feed", "relay", "config"]),
    ("grpc", &["store", "feed", "relay", "config"]),
    ("service", &["config", "contract"]),
    ("service::batch", &["config"]),
    ("relay", &["config"]),
    ("store", &["domain::credential::effect::import", "domain::decide", "domain::request::creation", "runtime::clock"]),
    ("feed", &["config", "contract"]),
];

/// Maximum number of components.
const MAX_COMPONENTS: usize = 16;
/// Maximum number of layers.
const MAX_LAYERS: usize = 9;
/// Maximum share of all lines in one component, in percent.
const MAX_SHARE: usize = 20;

/// Paths that the pure functions of the domain must not use.
const NOT_IN_DOMAIN: [&str; 17] = [
    "axum",
    "chrono::Utc::now",
    "http",
    "hyper",
    "rdkafka",
    "sqlx",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "tokio_util",
    "tonic",
];

#[test]
fn every_component_has_its_layer() {
    let sources = sources();
    let lost = sources.iter().filter(|source| layer_of(&source.name()).is_none());
    report(lost.map(|source| format!("{} is not in LAYERS", source.file)));
    assert!(LAYERS.len() <= MAX_LAYERS, "{} layers; the limit is {MAX_LAYERS}", LAYERS.len());
}

#[test]
fn imports_run_down_the_layers() {
    let sources = sources();
    report(wrong_uses(&Graph::of(&sources)));
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources = sources();
    let circles = Graph::of(&sources).circles();
    let describe = |circle: &Circle| format!("{} in a circle: {}", circle.files.join(", "), circle.ties.join("; "));
    report(circles.iter().map(describe));
}

#[test]
fn components_are_few_and_none_is_too_large() {
    let components = components::all();
    let lines: usize = components.iter().map(|component| component.lines).sum();
    let is_large = |component: &&Component| component.lines * 100 > lines * MAX_SHARE;
    report(components.iter().filter(is_large).map(|component| {
        format!(
            "{} has {} of {lines} lines, at most {MAX_SHARE} % may be in one component",
            component.path, component.lines
        )
    }));
    let names: Vec<&str> = components.iter().map(|component| component.path.as_str()).collect();
    assert!(names.len() <= MAX_COMPONENTS, "{} components; the limit is {MAX_COMPONENTS}: {names:?}", names.len());
}

#[test]
fn the_domain_does_no_io() {
    report(sources().iter().filter(|source| is_within(&source.name(), "domain")).flat_map(impurities));
}

#[test]
fn every_file_says_what_it_is_for() {
    report(sources().iter().filter_map(missing_header));
}

/// Uses that run up, across, or into a forbidden module.
fn wrong_uses(graph: &Graph<'_>) -> Vec<String> {
    let is_wrong = |user: &Source, used: &Source| {
        let (from, to) = (user.name(), used.name());
        let runs_down = component_of(&from) == component_of(&to) || layer_of(&from) < layer_of(&to);
        !runs_down || forbidden(&from).iter().any(|forbidden| is_within(&to, forbidden))
    };
    let wrong = graph.uses().filter(|(user, _, used)| is_wrong(user, used));
    wrong.map(|(user, line, used)| format!("{}:{line} uses {}", user.file, used.file)).collect()
}

/// Number of the layer of a module, counted from the top.
fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|components| components.contains(&component_of(module)))
}

fn forbidden(module: &str) -> &'static [&'static str] {
    let rows = FORBIDDEN.iter().filter(|(row, _)| is_within(module, row));
    rows.max_by_key(|(row, _)| row.len()).map(|(_, forbidden)| *forbidden).unwrap_or_default()
}

fn impurities(source: &Source) -> Vec<String> {
    let is_impure = |used: &&Use| {
        let path = used.path.join("::");
        // `use chrono::Utc` hides the first segment.
        NOT_IN_DOMAIN.iter().any(|forbidden| is_within(&path, forbidden)) || is_within(&path, "Utc::now")
    };
    let describe = |used: &Use| format!("{}:{} uses {}", source.file, used.line, used.path.join("::"));
    source.uses.iter().filter(is_impure).map(describe).collect()
}

fn missing_header(source: &Source) -> Option<String> {
    let has_header = source.text.starts_with("//! ") || source.text.starts_with("#![doc");
    (!has_header).then(|| format!("{} does not begin with a `//!` line that says what it is for", source.file))
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn report(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<String> = problems.into_iter().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
